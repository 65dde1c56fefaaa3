/* Every way to call the interface wrongly that the library can tell: a status, never a crash. */
#include "common.h"

static const double X[3][2] = {{1.0, 0.0}, {4.0, 0.0}, {4.0, 2.0}};

static void versions(void) {
  CHECK(mars_earth_abi_version() == MARS_EARTH_ABI_VERSION);
  STATUS(MARS_EARTH_OK, mars_earth_negotiate(MARS_EARTH_ABI_VERSION, MESSAGE));
  STATUS(MARS_EARTH_OK, mars_earth_negotiate(MARS_EARTH_ABI_VERSION, NULL, 0));
  STATUS(MARS_EARTH_UNSUPPORTED_ABI, mars_earth_negotiate(0, MESSAGE));
  STATUS(MARS_EARTH_UNSUPPORTED_ABI, mars_earth_negotiate(MARS_EARTH_ABI_VERSION + 1, MESSAGE));
  STATUS(MARS_EARTH_UNSUPPORTED_ABI,
         mars_earth_negotiate(MARS_EARTH_ABI_VERSION + 65536, MESSAGE));
  STATUS(MARS_EARTH_UNSUPPORTED_ABI, mars_earth_negotiate(UINT32_MAX, MESSAGE));
  CHECK(strstr(message, "65535.65535") != NULL);
  CHECK(strcmp(mars_earth_version(), "") != 0 && strcmp(mars_earth_spec_version(), "") != 0);
  CHECK(strcmp(mars_earth_status_name(4), "shape_mismatch") == 0);
  CHECK(strcmp(mars_earth_status_name(-1), "unknown") == 0);
  CHECK(strcmp(mars_earth_status_name(1000), "unknown") == 0);
}

static void messages(void) {
  char small[4];
  struct mars_earth_model *model = (struct mars_earth_model *)small;
  STATUS(MARS_EARTH_MALFORMED_SPEC,
         mars_earth_model_load((const uint8_t *)"{", 1, &model, small, sizeof small));
  CHECK(model == NULL && strlen(small) == 3);
  STATUS(MARS_EARTH_MALFORMED_SPEC,
         mars_earth_model_load((const uint8_t *)"{", 1, &model, small, 1));
  CHECK(small[0] == 0);
  small[0] = 'a';
  STATUS(MARS_EARTH_MALFORMED_SPEC,
         mars_earth_model_load((const uint8_t *)"{", 1, &model, small, 0));
  CHECK(small[0] == 'a');
  STATUS(MARS_EARTH_MALFORMED_SPEC,
         mars_earth_model_load((const uint8_t *)"{", 1, &model, NULL, 1000));
}

static void loading(void) {
  struct mars_earth_model *model = NULL;
  const uint8_t *text = (const uint8_t *)MODEL;
  STATUS(MARS_EARTH_INVALID_ARGUMENT, mars_earth_model_load(NULL, 3, &model, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT, mars_earth_model_load(text, 3, NULL, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT, mars_earth_model_load(text, SIZE_MAX, &model, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT,
         mars_earth_model_load(text, 3, (struct mars_earth_model **)((char *)&model + 1),
                               MESSAGE));
  STATUS(MARS_EARTH_MALFORMED_SPEC, mars_earth_model_load(text, 0, &model, MESSAGE));
  STATUS(MARS_EARTH_MALFORMED_SPEC, mars_earth_model_load(text, 20, &model, MESSAGE));
  CHECK(model == NULL);
  STATUS(MARS_EARTH_INVALID_ARGUMENT, mars_earth_model_load_file(NULL, &model, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT, mars_earth_model_load_file("\xff", &model, MESSAGE));
  STATUS(MARS_EARTH_MODEL_FILE, mars_earth_model_load_file("/no/such/model", &model, MESSAGE));
  STATUS(MARS_EARTH_MODEL_FILE, mars_earth_model_load_file("/", &model, MESSAGE));
  STATUS(MARS_EARTH_MODEL_FILE, mars_earth_model_load_file("", &model, MESSAGE));
  STATUS(MARS_EARTH_OK, mars_earth_model_validate(text, strlen(MODEL), MESSAGE));
  STATUS(MARS_EARTH_INVALID_SPEC, mars_earth_model_validate((const uint8_t *)"[]", 2, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT, mars_earth_model_validate(NULL, 2, MESSAGE));
  mars_earth_model_free(NULL);
}

static void inspecting(void) {
  struct mars_earth_model *model = load(MODEL);
  struct mars_earth_shape shape;
  const char *name;
  size_t length, needed;
  uint8_t *text;
  shape.size = sizeof shape;
  STATUS(MARS_EARTH_OK, mars_earth_model_shape(model, &shape, MESSAGE));
  CHECK(shape.features == 2 && shape.responses == 2 && shape.columns == 3 && shape.terms == 3);
  CHECK(shape.allow_missing == 0 && shape.has_link == 0 && shape.size == sizeof shape);
  shape.size = sizeof shape - 8;
  STATUS(MARS_EARTH_UNSUPPORTED_ABI, mars_earth_model_shape(model, &shape, MESSAGE));
  shape.size = 0;
  STATUS(MARS_EARTH_UNSUPPORTED_ABI, mars_earth_model_shape(model, &shape, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT, mars_earth_model_shape(model, NULL, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT, mars_earth_model_shape(NULL, &shape, MESSAGE));
  STATUS(MARS_EARTH_OK, mars_earth_model_feature(model, 1, &name, &length, MESSAGE));
  CHECK(strcmp(name, "z") == 0 && length == 1);
  STATUS(MARS_EARTH_OK, mars_earth_model_response(model, 0, &name, NULL, MESSAGE));
  CHECK(strcmp(name, "y") == 0);
  STATUS(MARS_EARTH_INVALID_ARGUMENT, mars_earth_model_feature(model, 2, &name, NULL, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT, mars_earth_model_response(model, SIZE_MAX, &name, NULL,
                                                                MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT, mars_earth_model_feature(model, 0, NULL, NULL, MESSAGE));
  STATUS(MARS_EARTH_OK, mars_earth_model_categories(model, 0, &length, MESSAGE));
  CHECK(length == 0);
  STATUS(MARS_EARTH_INVALID_ARGUMENT,
         mars_earth_model_category(model, 0, 0, &name, NULL, MESSAGE));
  STATUS(MARS_EARTH_OK, mars_earth_model_json(model, NULL, 0, &needed, MESSAGE));
  text = malloc(needed);
  CHECK(text != NULL);
  STATUS(MARS_EARTH_SHAPE_MISMATCH,
         mars_earth_model_json(model, text, needed - 1, &needed, MESSAGE));
  STATUS(MARS_EARTH_OK, mars_earth_model_json(model, text, needed, &needed, MESSAGE));
  STATUS(MARS_EARTH_OK, mars_earth_model_validate(text, needed, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT, mars_earth_model_json(model, NULL, 0, NULL, MESSAGE));
  free(text);
  mars_earth_model_free(model);

  model = load("{\"spec_version\": \"1.0\", \"allow_missing\": true, \"features\": [{\"name\": "
               "\"a\\u0000b\", \"categories\": [\"red\", \"green\"]}], \"responses\": [\"y\"], "
               "\"terms\": [{\"kind\": \"categorical\", \"feature\": 0, \"levels\": [\"red\"], "
               "\"coefficients\": [2]}]}");
  STATUS(MARS_EARTH_OK, mars_earth_model_feature(model, 0, &name, &length, MESSAGE));
  CHECK(strcmp(name, "a") == 0 && length == 3);
  STATUS(MARS_EARTH_OK, mars_earth_model_categories(model, 0, &length, MESSAGE));
  CHECK(length == 2);
  STATUS(MARS_EARTH_OK, mars_earth_model_category(model, 0, 1, &name, &length, MESSAGE));
  CHECK(strcmp(name, "green") == 0 && length == 5);
  mars_earth_model_free(model);
}

static void replaying(void) {
  struct mars_earth_model *model = load(MODEL);
  double out[16] = {0}, mixed[4];
  struct mars_earth_table table = table_of(&X[0][0], 3, 2), bad;
  struct mars_earth_buffer buffer = buffer_of(out, 3, 2), room;
  struct mars_earth_options options = {sizeof options, 1, 0};
  const double missing[2] = {1.0, NAN};
#define REPLAY(t, b, o) mars_earth_replay(model, MARS_EARTH_RESPONSES, t, b, o, MESSAGE)
  STATUS(MARS_EARTH_OK, REPLAY(&table, &buffer, NULL));
  CHECK(out[0] == 1 && out[1] == -1 && out[2] == 7 && out[4] == 8 && out[5] == -8);
  STATUS(MARS_EARTH_OK, mars_earth_check(model, &table, MESSAGE));
  options.threads = 8;
  STATUS(MARS_EARTH_OK, REPLAY(&table, &buffer, &options));

  /* Options. */
  options.threads = 0;
  STATUS(MARS_EARTH_INVALID_ARGUMENT, REPLAY(&table, &buffer, &options));
  options.threads = 1;
  options.reserved = 1;
  STATUS(MARS_EARTH_INVALID_ARGUMENT, REPLAY(&table, &buffer, &options));
  options.reserved = 0;
  options.size = sizeof options + 8;
  STATUS(MARS_EARTH_UNSUPPORTED_ABI, REPLAY(&table, &buffer, &options));
  STATUS(MARS_EARTH_INVALID_ARGUMENT,
         REPLAY(&table, &buffer, (struct mars_earth_options *)((char *)&options + 1)));
  STATUS(MARS_EARTH_INVALID_ARGUMENT,
         mars_earth_replay(model, 3, &table, &buffer, NULL, MESSAGE));

  /* Pointers. */
  STATUS(MARS_EARTH_INVALID_ARGUMENT, REPLAY(NULL, &buffer, NULL));
  STATUS(MARS_EARTH_INVALID_ARGUMENT, REPLAY(&table, NULL, NULL));
  STATUS(MARS_EARTH_INVALID_ARGUMENT,
         mars_earth_replay(NULL, MARS_EARTH_RESPONSES, &table, &buffer, NULL, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT, mars_earth_check(model, NULL, MESSAGE));
#define BAD_TABLE(status, field, value) \
  bad = table, bad.field = value;       \
  STATUS(status, REPLAY(&bad, &buffer, NULL))
#define BAD_BUFFER(status, field, value) \
  room = buffer, room.field = value;     \
  STATUS(status, REPLAY(&table, &room, NULL))
  BAD_TABLE(MARS_EARTH_INVALID_ARGUMENT, data, NULL);
  BAD_TABLE(MARS_EARTH_INVALID_ARGUMENT, data, (const double *)((const char *)X + 4));
  BAD_BUFFER(MARS_EARTH_INVALID_ARGUMENT, data, NULL);
  BAD_BUFFER(MARS_EARTH_INVALID_ARGUMENT, data, (double *)((char *)out + 1));
  BAD_TABLE(MARS_EARTH_UNSUPPORTED_ABI, size, 0);
  BAD_TABLE(MARS_EARTH_UNSUPPORTED_ABI, size, sizeof table + 1);
  BAD_BUFFER(MARS_EARTH_UNSUPPORTED_ABI, size, sizeof buffer - 8);

  /* Shapes, lengths and strides. */
  BAD_TABLE(MARS_EARTH_SHAPE_MISMATCH, length, 5);
  BAD_TABLE(MARS_EARTH_SHAPE_MISMATCH, length, SIZE_MAX);
  BAD_TABLE(MARS_EARTH_SHAPE_MISMATCH, length, SIZE_MAX / 8);
  BAD_TABLE(MARS_EARTH_SHAPE_MISMATCH, rows, 4);
  BAD_TABLE(MARS_EARTH_SHAPE_MISMATCH, rows, SIZE_MAX);
  BAD_TABLE(MARS_EARTH_SHAPE_MISMATCH, columns, 1);
  BAD_TABLE(MARS_EARTH_SHAPE_MISMATCH, columns, SIZE_MAX);
  BAD_TABLE(MARS_EARTH_SHAPE_MISMATCH, row_stride, -2);
  BAD_TABLE(MARS_EARTH_SHAPE_MISMATCH, column_stride, -1);
  BAD_TABLE(MARS_EARTH_SHAPE_MISMATCH, row_stride, PTRDIFF_MIN);
  BAD_TABLE(MARS_EARTH_SHAPE_MISMATCH, row_stride, PTRDIFF_MAX);
  BAD_BUFFER(MARS_EARTH_SHAPE_MISMATCH, length, 5);
  BAD_BUFFER(MARS_EARTH_SHAPE_MISMATCH, length, SIZE_MAX);
  BAD_BUFFER(MARS_EARTH_SHAPE_MISMATCH, rows, 2);
  BAD_BUFFER(MARS_EARTH_SHAPE_MISMATCH, columns, 3);
  BAD_BUFFER(MARS_EARTH_SHAPE_MISMATCH, row_stride, -2);
  BAD_BUFFER(MARS_EARTH_SHAPE_MISMATCH, row_stride, 0);
  BAD_BUFFER(MARS_EARTH_SHAPE_MISMATCH, row_stride, 1);
  BAD_BUFFER(MARS_EARTH_SHAPE_MISMATCH, column_stride, 0);
  BAD_BUFFER(MARS_EARTH_SHAPE_MISMATCH, row_stride, PTRDIFF_MAX);

  /* A result on top of its input. */
  room = buffer_of(mixed, 1, 2);
  bad = table_of(mixed + 1, 1, 2);
  mixed[0] = mixed[1] = mixed[2] = 1.0;
  STATUS(MARS_EARTH_INVALID_ARGUMENT, REPLAY(&bad, &room, NULL));

  /* Column-major room with gaps, and rows read one stride apart. */
  room = buffer_of(out, 3, 2);
  room.length = 16;
  room.row_stride = 2;
  room.column_stride = 7;
  out[1] = 99;
  STATUS(MARS_EARTH_OK, REPLAY(&table, &room, NULL));
  CHECK(out[0] == 1 && out[2] == 7 && out[4] == 8 && out[7] == -1 && out[11] == -8);
  CHECK(out[1] == 99);
  bad = table;
  bad.row_stride = 0;
  STATUS(MARS_EARTH_OK, REPLAY(&bad, &buffer, NULL));
  CHECK(out[0] == 1 && out[4] == 1);

  /* A check reads block by block and says where; one row may stand for any number. */
  {
    static double many[9000][2];
    bad = table_of(&many[0][0], 9000, 2);
    STATUS(MARS_EARTH_OK, mars_earth_check(model, &bad, MESSAGE));
    many[5000][1] = NAN;
    STATUS(MARS_EARTH_MISSING_VALUE, mars_earth_check(model, &bad, MESSAGE));
    CHECK(strstr(message, "counted from row 4096: row 904 ") != NULL);
    bad = table_of(&X[0][0], 3, 2);
    bad.row_stride = 0;
    bad.rows = 1000000;
    STATUS(MARS_EARTH_OK, mars_earth_check(model, &bad, MESSAGE));
    bad.rows = 0;
    STATUS(MARS_EARTH_OK, mars_earth_check(model, &bad, MESSAGE));
  }

  /* Values, and no rows at all. */
  bad = table_of(missing, 1, 2);
  room = buffer_of(out, 1, 2);
  STATUS(MARS_EARTH_MISSING_VALUE, REPLAY(&bad, &room, NULL));
  STATUS(MARS_EARTH_MISSING_VALUE, mars_earth_check(model, &bad, MESSAGE));
  bad = table_of(NULL, 0, 2);
  room = buffer_of(NULL, 0, 2);
  STATUS(MARS_EARTH_OK, REPLAY(&bad, &room, NULL));
  room = buffer_of(out, 3, 3);
  STATUS(MARS_EARTH_OK,
         mars_earth_replay(model, MARS_EARTH_DESIGN_MATRIX, &table, &room, NULL, MESSAGE));
  CHECK(out[0] == 1 && out[4] == 2 && out[8] == 2);
  mars_earth_model_free(model);
}

int main(void) {
  versions();
  messages();
  loading();
  inspecting();
  replaying();
  puts("ok");
  return 0;
}
