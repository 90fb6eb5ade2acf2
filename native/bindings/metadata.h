// gRPC metadata between Python's pairs and ours. A key that ends in "-bin" has a bytes value, any
// other a str.
#ifndef SKYSAIL_BINDINGS_METADATA_H_
#define SKYSAIL_BINDINGS_METADATA_H_

#include <pybind11/pybind11.h>

#include "net/metadata.h"

namespace skysail::bindings {

pybind11::list MetadataToPython(const net::Metadata& metadata);
// ValueError or TypeError naming the key when a pair could not go on the wire.
net::Metadata MetadataFromPython(const pybind11::iterable& pairs);

}  // namespace skysail::bindings

#endif  // SKYSAIL_BINDINGS_METADATA_H_
