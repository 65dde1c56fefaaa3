/* Arrow batches and streams by hand: conversion, ownership, and what a broken producer may do. */
#include "common.h"

static int released;

static void release_schema(struct ArrowSchema *schema) {
  released++;
  schema->release = NULL;
}

static void release_array(struct ArrowArray *array) {
  released++;
  array->release = NULL;
}

/* Two columns, z before x, and one of text that no feature names. */
struct batch {
  struct ArrowSchema schema, columns[3], *children[3];
  struct ArrowArray array, values[3], *arrays[3];
  const void *none[1], *buffers[3][3];
};

static const double X_VALUES[] = {9.0, 1.0, 4.0, 4.0};
static const float Z_VALUES[] = {0.0f, 5.0f, 2.0f};
static const uint8_t Z_VALID[] = {0x05};

static void fill(struct batch *b) {
  static const char *const names[] = {"z", "x", "remark"}, *const formats[] = {"f", "g", "u"};
  int j;
  memset(b, 0, sizeof *b);
  for (j = 0; j < 3; j++) {
    b->columns[j].format = formats[j];
    b->columns[j].name = names[j];
    b->columns[j].flags = ARROW_FLAG_NULLABLE;
    b->columns[j].release = release_schema;
    b->children[j] = &b->columns[j];
    b->values[j].length = 3;
    b->values[j].n_buffers = 2;
    b->values[j].buffers = b->buffers[j];
    b->values[j].release = release_array;
    b->arrays[j] = &b->values[j];
  }
  b->schema.format = "+s";
  b->schema.n_children = 3;
  b->schema.children = b->children;
  b->schema.release = release_schema;
  b->array.length = 3;
  b->array.n_buffers = 1;
  b->array.buffers = b->none;
  b->array.n_children = 3;
  b->array.children = b->arrays;
  b->array.release = release_array;
  b->buffers[0][0] = Z_VALID;
  b->buffers[0][1] = Z_VALUES;
  b->values[0].null_count = -1;
  b->buffers[1][1] = X_VALUES;
  b->values[1].offset = 1;
}

static const char TOLERANT[] =
    "{\"spec_version\": \"1.0\", \"allow_missing\": true,"
    " \"features\": [{\"name\": \"x\"}, {\"name\": \"z\", \"impute\": 2.0}],"
    " \"responses\": [\"y\"], \"terms\": ["
    "  {\"kind\": \"linear\", \"feature\": 0, \"coefficients\": [10.0]},"
    "  {\"kind\": \"linear\", \"feature\": 1, \"coefficients\": [1.0]}]}";

static void batches(void) {
  struct mars_earth_model *model = load(TOLERANT), *strict = load(MODEL);
  struct batch b;
  struct ArrowArray result;
  struct ArrowSchema schema;
  const double *y;
  fill(&b);
#define BATCH(m) \
  mars_earth_replay_batch(m, MARS_EARTH_RESPONSES, &b.array, &b.schema, NULL, &result, &schema, \
                          MESSAGE)
  STATUS(MARS_EARTH_OK, BATCH(model));
  CHECK(released == 0);
  CHECK(result.length == 3 && result.n_children == 1 && strcmp(schema.format, "+s") == 0);
  CHECK(strcmp(schema.children[0]->name, "y") == 0);
  CHECK(strcmp(schema.children[0]->format, "g") == 0);
  y = result.children[0]->buffers[1];
  CHECK(y[0] == 10 && y[1] == 42 && y[2] == 42);
  /* A consumer may move a child out and release the struct first. */
  {
    struct ArrowArray moved = *result.children[0];
    result.children[0]->release = NULL;
    result.release(&result);
    CHECK(result.release == NULL);
    CHECK(((const double *)moved.buffers[1])[2] == 42);
    moved.release(&moved);
  }
  schema.release(&schema);
  CHECK(schema.release == NULL);

  STATUS(MARS_EARTH_MISSING_VALUE, BATCH(strict));
  CHECK(result.release == NULL && schema.release == NULL);
  b.buffers[0][0] = NULL;
  b.values[0].null_count = 0;
  STATUS(MARS_EARTH_OK, BATCH(strict));
  CHECK(result.n_children == 2);
  result.release(&result);
  schema.release(&schema);

#define BROKEN(status, change) \
  fill(&b);                    \
  change;                      \
  STATUS(status, BATCH(model)); \
  CHECK(result.release == NULL && schema.release == NULL)
  BROKEN(MARS_EARTH_UNKNOWN_COLUMN, b.columns[0].name = "q");
  BROKEN(MARS_EARTH_UNKNOWN_COLUMN, b.columns[0].name = NULL);
  BROKEN(MARS_EARTH_INVALID_ARGUMENT, b.columns[2].name = "x");
  BROKEN(MARS_EARTH_INVALID_DTYPE, b.columns[1].format = "u");
  BROKEN(MARS_EARTH_INVALID_DTYPE, b.columns[1].format = "tdD");
  BROKEN(MARS_EARTH_INVALID_BATCH, b.columns[1].format = NULL);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.columns[1].name = "\xff");
  BROKEN(MARS_EARTH_INVALID_BATCH, b.schema.format = "g");
  BROKEN(MARS_EARTH_INVALID_BATCH, b.schema.release = NULL);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.array.release = NULL);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.array.n_children = 2);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.array.children = NULL);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.arrays[1] = NULL);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.children[1] = NULL);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.array.length = -1);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.array.length = INT64_MAX);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.array.length = 4);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.array.offset = 1);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.values[1].offset = -1);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.values[1].length = INT64_MIN);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.values[1].n_buffers = 1);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.values[1].n_buffers = -1);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.values[1].buffers = NULL);
  BROKEN(MARS_EARTH_INVALID_BATCH, b.buffers[1][1] = NULL);
  /* A column of nothing has no buffer that would bound its length. */
  BROKEN(MARS_EARTH_LIMIT_EXCEEDED,
         b.columns[0].format = b.columns[1].format = "n";
         b.array.length = b.values[0].length = b.values[1].length = (int64_t)1 << 50);
  fill(&b);
  STATUS(MARS_EARTH_INVALID_ARGUMENT,
         mars_earth_replay_batch(model, 0, NULL, &b.schema, NULL, &result, &schema, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT,
         mars_earth_replay_batch(model, 0, &b.array, NULL, NULL, &result, &schema, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT,
         mars_earth_replay_batch(model, 0, &b.array, &b.schema, NULL, NULL, &schema, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT,
         mars_earth_replay_batch(model, 0, &b.array, &b.schema, NULL, &result, NULL, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT,
         mars_earth_replay_batch(NULL, 0, &b.array, &b.schema, NULL, &result, &schema, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT,
         mars_earth_replay_batch(model, 9, &b.array, &b.schema, NULL, &result, &schema, MESSAGE));
  CHECK(released == 0);

  /* A float64 column that is not aligned is read all the same. */
  {
    char odd[33];
    memcpy(odd + 1, X_VALUES, sizeof X_VALUES);
    fill(&b);
    b.buffers[1][1] = odd + 1;
    STATUS(MARS_EARTH_OK, BATCH(model));
    CHECK(((const double *)result.children[0]->buffers[1])[0] == 10);
    result.release(&result);
    schema.release(&schema);
  }
  mars_earth_model_free(model);
  mars_earth_model_free(strict);
}

/* A stream of as many batches as `private_data` says; the one numbered `fails` fails. */
static struct batch sent;
static int fails;

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  (void)stream;
  fill(&sent);
  *out = sent.schema;
  return 0;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  int *left = stream->private_data;
  if (*left == fails) {
    return 5;
  }
  if (*left == 0) {
    memset(out, 0, sizeof *out);
    return 0;
  }
  (*left)--;
  *out = sent.array;
  return 0;
}

static const char *get_last_error(struct ArrowArrayStream *stream) {
  (void)stream;
  return "the disk is gone";
}

static void release_stream(struct ArrowArrayStream *stream) {
  released++;
  stream->release = NULL;
}

static struct ArrowArrayStream stream_of(int *left) {
  struct ArrowArrayStream stream;
  stream.get_schema = get_schema;
  stream.get_next = get_next;
  stream.get_last_error = get_last_error;
  stream.release = release_stream;
  stream.private_data = left;
  return stream;
}

static void streams(void) {
  struct mars_earth_model *model = load(TOLERANT);
  int left = 2;
  struct ArrowArrayStream input = stream_of(&left), result;
  struct ArrowSchema schema;
  struct ArrowArray array;
  fails = -1;
  released = 0;
#define STREAM() mars_earth_replay_stream(model, 0, &input, NULL, &result, MESSAGE)
  STATUS(MARS_EARTH_OK, STREAM());
  CHECK(input.release == NULL && result.release != NULL);
  mars_earth_model_free(model);
  CHECK(result.get_schema(&result, &schema) == 0 && schema.n_children == 1);
  schema.release(&schema);
  CHECK(left == 2);
  CHECK(result.get_next(&result, &array) == 0 && array.length == 3 && left == 1);
  CHECK(((const double *)array.children[0]->buffers[1])[1] == 42);
  array.release(&array);
  CHECK(result.get_next(&result, &array) == 0);
  array.release(&array);
  CHECK(result.get_next(&result, &array) == 0 && array.release == NULL);
  CHECK(result.get_next(&result, &array) == 0 && array.release == NULL);
  CHECK(result.get_last_error(&result) == NULL);
  CHECK(released == 2); /* the two batches; schema and stream are held until the result goes */
  result.release(&result);
  CHECK(result.release == NULL && released == 4);

  model = load(TOLERANT);
  left = 3;
  fails = 2;
  input = stream_of(&left);
  STATUS(MARS_EARTH_OK, STREAM());
  CHECK(result.get_next(&result, &array) == 0);
  array.release(&array);
  CHECK(result.get_next(&result, &array) == 5);
  CHECK(strstr(result.get_last_error(&result), "the disk is gone") != NULL);
  CHECK(result.get_next(&result, &array) == 0 && array.release == NULL);
  result.release(&result);

  input = stream_of(&left);
  input.release = NULL;
  STATUS(MARS_EARTH_INVALID_BATCH, STREAM());
  CHECK(result.release == NULL);
  input = stream_of(&left);
  input.get_schema = NULL;
  STATUS(MARS_EARTH_INVALID_BATCH, STREAM());
  CHECK(input.release != NULL);
  STATUS(MARS_EARTH_INVALID_ARGUMENT,
         mars_earth_replay_stream(model, 0, &input, NULL, &input, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT,
         mars_earth_replay_stream(model, 0, NULL, NULL, &result, MESSAGE));
  STATUS(MARS_EARTH_INVALID_ARGUMENT,
         mars_earth_replay_stream(model, 0, &input, NULL, NULL, MESSAGE));
  input.get_next = NULL;
  input.get_schema = get_schema;
  STATUS(MARS_EARTH_OK, STREAM());
  CHECK(result.get_next(&result, &array) == 5);
  result.release(&result);
  mars_earth_model_free(model);
}

int main(void) {
  batches();
  streams();
  puts("ok");
  return 0;
}
