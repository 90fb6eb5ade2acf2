#include "cache/prediction_cache.h"

#include <pybind11/pybind11.h>

#include <optional>

#include "bindings/bindings.h"
#include "bindings/errors.h"
#include "bindings/seconds.h"

namespace skysail::bindings {
namespace {

using cache::CacheOptions;
using cache::CacheStats;
using cache::PredictionCache;
using cache::Space;

std::string_view View(const py::bytes& bytes) {
  return {PyBytes_AS_STRING(bytes.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.ptr()))};
}

// A cache with a space of its own for callers that need no more than one.
class Cache {
 public:
  Cache(const CacheOptions& options, const Clock& clock)
      : cache_(options, clock), default_space_(cache_.AddSpace()) {}

  PredictionCache& cache() { return cache_; }
  Space SpaceOf(std::optional<Space> space) const { return space.value_or(default_space_); }
  PredictionCache::Key Key(const py::bytes& key, std::optional<Space> space) const {
    return cache_.MakeKey(SpaceOf(space), View(key));
  }

 private:
  PredictionCache cache_;
  const Space default_space_;
};

std::unique_ptr<Cache> New(size_t capacity_bytes, int shards, int hash_bits,
                           bool admit_all, const ManualClock* clock) {
  if (shards < 1 || shards > 4096) throw py::value_error("shards must be in [1, 4096]");
  if (hash_bits < 0 || hash_bits > 64) throw py::value_error("hash_bits must be in [0, 64]");
  CacheOptions options;
  options.capacity_bytes = capacity_bytes;
  options.shards = shards;
  options.hash_bits = hash_bits;
  options.admit_all = admit_all;
  return clock != nullptr ? std::make_unique<Cache>(options, *clock)
                          : std::make_unique<Cache>(options, SystemClock::Get());
}

py::object Get(Cache& self, const py::bytes& key, std::optional<Space> space) {
  std::optional<Slice> value = self.cache().Lookup(self.Key(key, space));
  if (!value) return py::none();
  return py::bytes(value->data(), value->size());
}

bool Put(Cache& self, const py::bytes& key, const py::bytes& value, double ttl_s,
         std::optional<Space> space) {
  TimeNs ttl = FromSecondsAtLeastZero(ttl_s, "ttl_s");
  return self.cache().Insert(self.Key(key, space), View(value), ttl);
}

Space AddSpace(Cache& self, size_t quota_bytes) {
  Space space = self.cache().AddSpace(quota_bytes);
  if (space == PredictionCache::kNoSpace) {
    Raise(ResourceExhausted("the cache has 2^20 spaces already; erase some first"));
  }
  return space;
}

py::dict Stats(Cache& self, std::optional<Space> space) {
  CacheStats stats = space ? self.cache().stats(*space) : self.cache().stats();
  py::dict dict;
  dict["lookups"] = stats.lookups;
  dict["hits"] = stats.hits;
  dict["inserts"] = stats.inserts;
  dict["refused"] = stats.refused;
  dict["evictions"] = stats.evictions;
  dict["expired"] = stats.expired;
  dict["erased"] = stats.erased;
  dict["entries"] = stats.entries;
  dict["bytes"] = stats.bytes;
  return dict;
}

}  // namespace

void BindPredictionCache(py::module_& module) {
  const CacheOptions defaults;
  const py::object no_space = py::none();
  py::class_<Cache>(module, "PredictionCache", py::is_final(),
                    "A thread-safe cache of bytes under bytes, least recently used out first, "
                    "under a byte budget.\n\n"
                    "A hit compares the whole key. Keys live in spaces, which are forgotten at "
                    "once; whoever names\n"
                    "none uses one of the cache's own.\n\n"
                    "`capacity_bytes`: keys, values and bookkeeping; 0 keeps nothing. `shards`: "
                    "locks, at most one per\n"
                    "MiB of capacity; more lets more threads in at once. `hash_bits`: fewer than "
                    "64 only in tests, to\n"
                    "force collisions. `admit_all`: plain LRU; otherwise a full cache lets a new key "
                    "in only when it was\n"
                    "put before, and since what would leave for it was used. `clock`: what TTLs are measured by; the system's monotonic "
                    "clock unless given.")
      .def(py::init(&New), py::kw_only(), py::arg("capacity_bytes") = defaults.capacity_bytes,
           py::arg("shards") = defaults.shards, py::arg("hash_bits") = defaults.hash_bits,
           py::arg("admit_all") = defaults.admit_all, py::arg("clock") = py::none(),
           py::keep_alive<1, 6>())
      .def("get", &Get, py::arg("key"), py::kw_only(), py::arg("space") = no_space,
           "The value, which becomes the most recently used; None when absent or past its TTL.")
      .def("put", &Put, py::arg("key"), py::arg("value"), py::kw_only(), py::arg("ttl_s") = 0.0,
           py::arg("space") = no_space,
           "Keeps a copy of `value` until evicted, erased, or `ttl_s` seconds have passed (0: for "
           "ever).\n\n"
           "False when the space was erased, the capacity or its quota cannot hold the entry, or "
           "a full cache\n"
           "does not let a new key in.")
      .def(
          "erase",
          [](Cache& self, const py::bytes& key, std::optional<Space> space) {
            return self.cache().Erase(self.Key(key, space));
          },
          py::arg("key"), py::kw_only(), py::arg("space") = no_space,
          "True when there was an entry.")
      .def("add_space", &AddSpace, py::kw_only(), py::arg("quota_bytes") = 0,
           "A fresh, empty space; `quota_bytes` bounds what it may hold (0: the capacity).")
      .def(
          "erase_space", [](Cache& self, Space space) { self.cache().EraseSpace(space); },
          py::arg("space"),
          "Forgets a space at once. Its memory comes back with later puts, or with reclaim().")
      .def(
          "reclaim", [](Cache& self) { return self.cache().Reclaim(); },
          py::call_guard<py::gil_scoped_release>(),
          "Frees what erased spaces still hold; returns the number of entries freed.")
      .def("stats", &Stats, py::arg("space") = no_space,
           "Counts since the start (lookups, hits, inserts, refused, evictions, expired, erased) and what "
           "is held\n"
           "now (entries, bytes), of one space or of the whole cache.")
      .def_static("charge", &PredictionCache::Charge, py::arg("key_bytes"), py::arg("value_bytes"),
                  "Bytes that an entry with such a key and value takes of the capacity.");
}

}  // namespace skysail::bindings
