/* Load a model, ask for its shape, make room, replay three rows.
 *
 *   cc predict.c $(pkg-config --cflags --libs mars_earth) -o predict && ./predict
 */
#include <mars_earth.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char MODEL[] =
    "{\"spec_version\": \"1.0\", \"allow_missing\": false,"
    " \"features\": [{\"name\": \"x\"}, {\"name\": \"z\"}], \"responses\": [\"y\"],"
    " \"terms\": ["
    "  {\"kind\": \"constant\", \"coefficients\": [1.0]},"
    "  {\"kind\": \"hinge\", \"feature\": 0, \"knot\": 2.0, \"side\": \"right\","
    "   \"coefficients\": [3.0]},"
    "  {\"kind\": \"linear\", \"feature\": 1, \"coefficients\": [0.5]}]}";

int main(void) {
  char message[256];
  struct mars_earth_model *model = NULL;
  struct mars_earth_shape shape;
  struct mars_earth_table table;
  struct mars_earth_buffer buffer;
  const double rows[3][2] = {{1.0, 0.0}, {4.0, 0.0}, {4.0, 2.0}};
  double *responses;
  mars_earth_status status;
  size_t i;

  status = mars_earth_negotiate(MARS_EARTH_ABI_VERSION, message, sizeof message);
  if (status == MARS_EARTH_OK) {
    status = mars_earth_model_load((const uint8_t *)MODEL, strlen(MODEL), &model, message,
                                   sizeof message);
  }
  if (status == MARS_EARTH_OK) {
    shape.size = sizeof shape;
    status = mars_earth_model_shape(model, &shape, message, sizeof message);
  }
  if (status != MARS_EARTH_OK) {
    fprintf(stderr, "%s: %s\n", mars_earth_status_name(status), message);
    return EXIT_FAILURE;
  }

  responses = malloc(3 * shape.responses * sizeof *responses);
  if (responses == NULL) {
    mars_earth_model_free(model);
    return EXIT_FAILURE;
  }
  table.size = sizeof table;
  table.data = &rows[0][0];
  table.length = 6;
  table.rows = 3;
  table.columns = shape.features;
  table.row_stride = 2;
  table.column_stride = 1;
  buffer.size = sizeof buffer;
  buffer.data = responses;
  buffer.length = 3 * shape.responses;
  buffer.rows = 3;
  buffer.columns = shape.responses;
  buffer.row_stride = (ptrdiff_t)shape.responses;
  buffer.column_stride = 1;
  status = mars_earth_replay(model, MARS_EARTH_RESPONSES, &table, &buffer, NULL, message,
                             sizeof message);
  if (status == MARS_EARTH_OK) {
    for (i = 0; i < 3; i++) {
      printf("%g\n", responses[i]);
    }
  } else {
    fprintf(stderr, "%s: %s\n", mars_earth_status_name(status), message);
  }
  free(responses);
  mars_earth_model_free(model);
  return status == MARS_EARTH_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
