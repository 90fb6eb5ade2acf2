#include "services/flight_table.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace skysail::services {
namespace {

std::unique_ptr<Work> Keyed(const std::string& key, uint64_t hash) {
  auto work = std::make_unique<Work>();
  work->key = Slice::Copy(key);
  work->key_hash = hash;
  return work;
}

TEST(FlightTableTest, EqualHashesOfDifferentKeysAreToldApart) {
  FlightTable table;
  const auto a = Keyed("a", 5), b = Keyed("b", 5);
  table.Add(a.get());
  EXPECT_EQ(table.Find("b", 5), nullptr);
  table.Add(b.get());
  EXPECT_EQ(table.Find("a", 5), a.get());
  EXPECT_EQ(table.Find("b", 5), b.get());
}

TEST(FlightTableTest, RemovingWhatIsNotThereChangesNothing) {
  FlightTable table;
  const auto a = Keyed("a", 5), twin = Keyed("a", 5);
  table.Add(a.get());
  table.Remove(twin.get());
  EXPECT_EQ(table.Find("a", 5), a.get());
  EXPECT_EQ(table.size(), 1u);
}

TEST(FlightTableTest, AgreesWithAPlainMap) {
  FlightTable table;
  std::unordered_map<std::string, std::unique_ptr<Work>> model;
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    const std::string key = std::to_string(random() % 2000);
    const uint64_t hash = std::stoull(key) % 97;
    Work* found = table.Find(key, hash);
    const auto known = model.find(key);
    ASSERT_EQ(found, known == model.end() ? nullptr : known->second.get());
    if (found == nullptr) {
      auto& work = model[key] = Keyed(key, hash);
      table.Add(work.get());
    } else {
      table.Remove(found);
      model.erase(known);
    }
    ASSERT_EQ(table.size(), model.size());
  }
}

}  // namespace
}  // namespace skysail::services
