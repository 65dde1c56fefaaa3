/* Time one-row replays through the C interface, in one thread and in several on one handle.
 *
 *   ./bench model.json <features> <threads> <seconds>
 *
 * Prints one line of JSON (H1 and H2 matter, not claimed): the median of many batches of calls in
 * nanoseconds per call, with quartiles, and calls per second of all threads together.
 */
#define _POSIX_C_SOURCE 200809L

#include <mars_earth.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH 1000
#define MOST 100000

static const struct mars_earth_model *model;
static size_t features;
static double seconds;

struct worker {
  pthread_t thread;
  double *nanoseconds; /* per call, one figure for each batch */
  size_t batches;
  int failed;
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void *work(void *argument) {
  struct worker *worker = argument;
  double *row = malloc(features * sizeof *row), y = 0.0, started = now(), before = started;
  struct mars_earth_table table = {sizeof table, row, features, 1, features,
                                   (ptrdiff_t)features, 1};
  struct mars_earth_buffer buffer = {sizeof buffer, &y, 1, 1, 1, 1, 1};
  size_t i, j;
  worker->failed = row == NULL || worker->nanoseconds == NULL;
  for (j = 0; !worker->failed && j < features; j++) {
    row[j] = 0.37 + 0.01 * (double)j;
  }
  for (i = 0; !worker->failed && i < MOST && before - started < seconds; i++) {
    double after;
    for (j = 0; j < BATCH; j++) {
      row[0] = 1e-3 * (double)j;
      if (mars_earth_replay(model, MARS_EARTH_RESPONSES, &table, &buffer, NULL, NULL, 0) !=
          MARS_EARTH_OK) {
        worker->failed = 1;
      }
    }
    after = now();
    worker->nanoseconds[i] = 1e9 * (after - before) / BATCH;
    worker->batches = i + 1;
    before = after;
  }
  free(row);
  return NULL;
}

static int ascending(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  char message[512];
  struct mars_earth_model *loaded = NULL;
  struct worker *workers, *first;
  size_t threads, i, calls = 0;
  double started, elapsed;
  int failed = 0;
  if (argc != 5) {
    fprintf(stderr, "usage: bench model.json features threads seconds\n");
    return 2;
  }
  if (mars_earth_model_load_file(argv[1], &loaded, message, sizeof message) != MARS_EARTH_OK) {
    fprintf(stderr, "%s\n", message);
    return 1;
  }
  model = loaded;
  features = strtoul(argv[2], NULL, 10);
  threads = strtoul(argv[3], NULL, 10);
  seconds = strtod(argv[4], NULL);
  workers = calloc(threads, sizeof *workers);
  if (workers == NULL) {
    return 1;
  }
  started = now();
  for (i = 0; i < threads; i++) {
    workers[i].nanoseconds = calloc(MOST, sizeof(double));
    failed |= pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0;
  }
  for (i = 0; !failed && i < threads; i++) {
    failed |= pthread_join(workers[i].thread, NULL) != 0 || workers[i].failed;
    calls += workers[i].batches * BATCH;
  }
  elapsed = now() - started;
  if (failed) {
    fprintf(stderr, "a call failed\n");
    return 1;
  }
  first = &workers[0];
  qsort(first->nanoseconds, first->batches, sizeof(double), ascending);
  printf("{\"nanoseconds\": %.1f, \"nanoseconds_q1\": %.1f, \"nanoseconds_q3\": %.1f, "
         "\"calls_per_second\": %.0f}\n",
         first->nanoseconds[first->batches / 2], first->nanoseconds[first->batches / 4],
         first->nanoseconds[3 * first->batches / 4], (double)calls / elapsed);
  for (i = 0; i < threads; i++) {
    free(workers[i].nanoseconds);
  }
  free(workers);
  mars_earth_model_free(loaded);
  return 0;
}
