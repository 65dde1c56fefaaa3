/* What the C tests share: a model, and a check that names its line. */
#ifndef COMMON_H
#define COMMON_H

#include <mars_earth.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char message[512];

#define MESSAGE message, sizeof message

#define CHECK(condition)                                                                   \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, message);        \
      exit(1);                                                                             \
    }                                                                                      \
  } while (0)

#define STATUS(expected, call)                                                             \
  do {                                                                                     \
    mars_earth_status status_ = (call);                                                    \
    if (status_ != (expected)) {                                                           \
      fprintf(stderr, "%s:%d: %s is %s (%s)\n", __FILE__, __LINE__, #call,                 \
              mars_earth_status_name(status_), message);                                   \
      exit(1);                                                                             \
    }                                                                                      \
  } while (0)

/* y = 1 + 3 max(0, x - 2) + 0.5 z, second response -y. */
static const char MODEL[] =
    "{\"spec_version\": \"1.0\", \"allow_missing\": false,"
    " \"features\": [{\"name\": \"x\"}, {\"name\": \"z\"}], \"responses\": [\"y\", \"n\"],"
    " \"terms\": ["
    "  {\"kind\": \"constant\", \"coefficients\": [1.0, -1.0]},"
    "  {\"kind\": \"hinge\", \"feature\": 0, \"knot\": 2.0, \"side\": \"right\","
    "   \"coefficients\": [3.0, -3.0]},"
    "  {\"kind\": \"linear\", \"feature\": 1, \"coefficients\": [0.5, -0.5]}]}";

static struct mars_earth_model *load(const char *text) {
  struct mars_earth_model *model = NULL;
  STATUS(MARS_EARTH_OK,
         mars_earth_model_load((const uint8_t *)text, strlen(text), &model, MESSAGE));
  CHECK(model != NULL);
  return model;
}

static inline struct mars_earth_table table_of(const double *data, size_t rows, size_t columns) {
  struct mars_earth_table table;
  table.size = sizeof table;
  table.data = data;
  table.length = rows * columns;
  table.rows = rows;
  table.columns = columns;
  table.row_stride = (ptrdiff_t)columns;
  table.column_stride = 1;
  return table;
}

static inline struct mars_earth_buffer buffer_of(double *data, size_t rows, size_t columns) {
  struct mars_earth_buffer buffer;
  buffer.size = sizeof buffer;
  buffer.data = data;
  buffer.length = rows * columns;
  buffer.rows = rows;
  buffer.columns = columns;
  buffer.row_stride = (ptrdiff_t)columns;
  buffer.column_stride = 1;
  return buffer;
}

#endif
