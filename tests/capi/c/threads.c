/* Eight threads use one handle at once; each sees what one thread sees. */
#include "common.h"

#include <pthread.h>

#define THREADS 8
#define ROWS 500

static const struct mars_earth_model *model;
static double x[ROWS][2], expected[ROWS][2];

static void *work(void *seen) {
  double(*out)[2] = seen;
  char mine[64];
  int round;
  for (round = 0; round < 50; round++) {
    size_t rows = (size_t)(1 + (round * 37) % ROWS);
    struct mars_earth_table table = table_of(&x[0][0], rows, 2);
    struct mars_earth_buffer buffer = buffer_of(&out[0][0], rows, 2);
    struct mars_earth_options options = {sizeof options, 2, 0};
    if (mars_earth_replay(model, MARS_EARTH_RESPONSES, &table, &buffer,
                          round % 2 ? &options : NULL, mine, sizeof mine) != MARS_EARTH_OK ||
        memcmp(out, expected, rows * sizeof *out) != 0) {
      return NULL;
    }
    table.columns = 1;
    if (mars_earth_replay(model, MARS_EARTH_RESPONSES, &table, &buffer, NULL, mine,
                          sizeof mine) != MARS_EARTH_SHAPE_MISMATCH) {
      return NULL;
    }
  }
  return seen;
}

int main(void) {
  static double out[THREADS][ROWS][2];
  pthread_t threads[THREADS];
  struct mars_earth_model *loaded = load(MODEL);
  struct mars_earth_table table = table_of(&x[0][0], ROWS, 2);
  struct mars_earth_buffer buffer = buffer_of(&expected[0][0], ROWS, 2);
  int i;
  for (i = 0; i < ROWS; i++) {
    x[i][0] = i * 0.01;
    x[i][1] = ROWS - i;
  }
  STATUS(MARS_EARTH_OK,
         mars_earth_replay(loaded, MARS_EARTH_RESPONSES, &table, &buffer, NULL, MESSAGE));
  model = loaded;
  for (i = 0; i < THREADS; i++) {
    CHECK(pthread_create(&threads[i], NULL, work, out[i]) == 0);
  }
  for (i = 0; i < THREADS; i++) {
    void *result = NULL;
    CHECK(pthread_join(threads[i], &result) == 0);
    CHECK(result == out[i]);
  }
  mars_earth_model_free(loaded);
  puts("ok");
  return 0;
}
