#include "bindings/metadata.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace skysail::bindings {
namespace {

namespace py = pybind11;

bool IsBinary(std::string_view key) {
  return key.size() > 4 && key.substr(key.size() - 4) == "-bin";
}

bool IsKey(std::string_view key) {
  auto legal = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  return !key.empty() && std::all_of(key.begin(), key.end(), legal) && key.substr(0, 5) != "grpc-";
}

bool IsPrintable(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

}  // namespace

py::list MetadataToPython(const net::Metadata& metadata) {
  py::list pairs;
  for (const auto& [key, value] : metadata) {
    if (IsBinary(key)) {
      pairs.append(py::make_tuple(key, py::bytes(value)));
    } else {
      auto text = py::reinterpret_steal<py::str>(
          PyUnicode_DecodeLatin1(value.data(), static_cast<Py_ssize_t>(value.size()), nullptr));
      pairs.append(py::make_tuple(key, text));
    }
  }
  return pairs;
}

net::Metadata MetadataFromPython(const py::iterable& pairs) {
  net::Metadata metadata;
  for (py::handle item : pairs) {
    auto pair = py::cast<py::sequence>(item);
    if (pair.size() != 2) throw py::value_error("metadata is pairs of key and value");
    auto key = py::cast<std::string>(pair[0]);
    if (!IsKey(key)) {
      throw py::value_error("metadata key '" + key +
                            "' is illegal: use a-z 0-9 - _ . and no 'grpc-' in front");
    }
    py::object value = pair[1];
    if (!py::isinstance<py::str>(value) && !py::isinstance<py::bytes>(value)) {
      throw py::type_error("the value of metadata '" + key + "' must be str or bytes");
    }
    auto bytes = py::cast<std::string>(value);
    if (!IsBinary(key) && !IsPrintable(bytes)) {
      throw py::value_error("the value of metadata '" + key +
                            "' must be printable ASCII; use a key that ends in -bin for bytes");
    }
    metadata.Add(std::move(key), std::move(bytes));
  }
  return metadata;
}

}  // namespace skysail::bindings
