# Fit R earth on one train/test pair per line of jobs.csv and print the figures as CSV.
# Called by scripts/parity/held_out.py; the settings are those it gives to pymars.Earth.
suppressMessages(library(earth))
folder <- commandArgs(trailingOnly = TRUE)[1]
jobs <- read.csv(file.path(folder, "jobs.csv"))
cat("train,test,degree,gcv,terms,rsq\n")
for (i in seq_len(nrow(jobs))) {
  train <- read.csv(file.path(folder, jobs$train[i]))
  test <- read.csv(file.path(folder, jobs$test[i]))
  model <- earth(y ~ ., data = train, degree = jobs$degree[i], penalty = 3, nk = 21, thresh = 0.001)
  error <- sum((test$y - predict(model, test))^2)
  rsq <- 1 - error / sum((test$y - mean(test$y))^2)
  cat(sprintf("%s,%s,%d,%.17g,%d,%.17g\n", jobs$train[i], jobs$test[i], jobs$degree[i],
              model$gcv, length(model$selected.terms), rsq))
}
cat(sprintf("# R %s, earth %s\n", getRversion(), packageVersion("earth")))
