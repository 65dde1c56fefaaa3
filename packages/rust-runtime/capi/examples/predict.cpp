// Load a model from a file, replay rows of standard input, one line of numbers per row.
//
//   c++ -std=c++17 predict.cpp $(pkg-config --cflags --libs mars_earth) -o predict
//   echo "4 2" | ./predict model.json
#include <mars_earth.h>

#include <array>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Model = std::unique_ptr<mars_earth_model, decltype(&mars_earth_model_free)>;

void check(mars_earth_status status, const std::array<char, 512> &message) {
  if (status != MARS_EARTH_OK) {
    throw std::runtime_error(std::string(mars_earth_status_name(status)) + ": " + message.data());
  }
}

Model load(const char *path) {
  std::array<char, 512> message{};
  mars_earth_model *model = nullptr;
  check(mars_earth_negotiate(MARS_EARTH_ABI_VERSION, message.data(), message.size()), message);
  check(mars_earth_model_load_file(path, &model, message.data(), message.size()), message);
  return Model(model, &mars_earth_model_free);
}

std::vector<double> predict(const Model &model, const std::vector<double> &values) {
  std::array<char, 512> message{};
  mars_earth_shape shape{};
  shape.size = sizeof shape;
  check(mars_earth_model_shape(model.get(), &shape, message.data(), message.size()), message);
  const std::size_t rows = values.size() / shape.features;
  std::vector<double> responses(rows * shape.responses);
  const mars_earth_table table{sizeof table,  values.data(), values.size(),
                               rows,          shape.features,
                               static_cast<std::ptrdiff_t>(shape.features), 1};
  const mars_earth_buffer buffer{sizeof buffer, responses.data(), responses.size(),
                                 rows,          shape.responses,
                                 static_cast<std::ptrdiff_t>(shape.responses), 1};
  check(mars_earth_replay(model.get(), MARS_EARTH_RESPONSES, &table, &buffer, nullptr,
                          message.data(), message.size()),
        message);
  return responses;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::cerr << "usage: predict model.json < rows\n";
    return 2;
  }
  try {
    const Model model = load(argv[1]);
    std::vector<double> values;
    for (double value = 0; std::cin >> value;) {
      values.push_back(value);
    }
    for (const double response : predict(model, values)) {
      std::cout << response << '\n';
    }
  } catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
