# Time R earth on the problems of a folder, each as often as asked; print one line per run.
# Called by scripts/bench_training.py. The time is user + system seconds of the whole earth() call.
suppressMessages(library(earth))
folder <- commandArgs(trailingOnly = TRUE)[1]
jobs <- read.csv(file.path(folder, "jobs.csv"))
read_doubles <- function(name, count) {
  path <- file.path(folder, name)
  readBin(path, "double", n = count, size = 8, endian = "little")
}
cat("case,seconds,gcv,terms,rsq\n")
for (i in seq_len(nrow(jobs))) {
  job <- jobs[i, ]
  part <- function(name, count) read_doubles(sprintf("%d.%s", job$files, name), count)
  x <- matrix(part("x", job$n * job$p), job$n, job$p)
  y <- part("y", job$n)
  unseen <- matrix(part("unseen", job$m * job$p), job$m, job$p)
  truth <- part("truth", job$m)
  for (run in seq_len(job$runs)) {
    gc()
    time <- system.time(model <- earth(
      x, y,
      degree = job$degree, nk = job$nk, thresh = job$thresh, fast.k = job$fast_k
    ))
    error <- truth - predict(model, unseen)
    rsq <- 1 - sum(error^2) / sum((truth - mean(truth))^2)
    cat(sprintf("%s,%.17g,%.17g,%d,%.17g\n", job$case, time[["user.self"]] + time[["sys.self"]],
                model$gcv, length(model$selected.terms), rsq))
  }
}
cat(sprintf("# R %s, earth %s\n", getRversion(), packageVersion("earth")))
