// Requests stacked to a batch, and the answer of a model that gives back what it gets cut again: the
// batch has all rows in order, each member gets its own back, and an answer of another number of rows
// is refused.
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "fuzz/script.h"
#include "oip/testing.h"
#include "oip/transform.h"

namespace skysail::oip {
namespace {

namespace make = ::skysail::oip::testing;

struct Kind {
  const char* datatype;
  size_t bytes;  // of an element; 0: a length before each
};
constexpr Kind kKinds[] = {{"UINT8", 1}, {"FP32", 4}, {"INT64", 8}, {"BYTES", 0}};

struct Column {
  Kind kind;
  int64_t width;
};
struct Member {
  Slice message;
  RequestView view;
  std::vector<make::Tensor> tensors;
};

// Elements that differ from row to row.
std::string Elements(const Column& column, int64_t rows, fuzz::Script* script) {
  std::string raw;
  for (int64_t left = rows * column.width; left > 0; --left) {
    const uint8_t byte = script->Byte();
    const std::string element(column.kind.bytes != 0 ? column.kind.bytes : byte % 5 * (byte / 64),
                              static_cast<char>(byte));
    raw += column.kind.bytes != 0 ? element : make::RawBytes({element});
  }
  return raw;
}

ResponseView Answer(const Slice& message) {
  ResponseView view;
  SKYSAIL_HOLDS(ParseResponse(message.view(), &view).ok());
  return view;
}

void Run(fuzz::Script* script) {
  std::vector<Column> columns;
  for (size_t more = 1 + script->Pick(3); more > 0; --more) {
    const Kind kind = kKinds[script->Pick(4)];
    columns.push_back({kind, static_cast<int64_t>(script->Pick(4) == 0 ? 1 + script->Byte() * 8
                                                                      : 1 + script->Pick(4))});
  }
  std::deque<Member> members;
  std::vector<BatchMember> batch;
  std::vector<int64_t> rows;
  int64_t all_rows = 0;
  std::vector<std::string> expected(columns.size());
  for (size_t more = 1 + script->Pick(6); more > 0; --more) {
    rows.push_back(static_cast<int64_t>(1 + script->Pick(4)));
    all_rows += rows.back();
    Member& member = members.emplace_back();
    for (size_t i = 0; i < columns.size(); ++i) {
      member.tensors.push_back({std::string(1, static_cast<char>('a' + i)),
                                columns[i].kind.datatype,
                                {rows.back(), columns[i].width},
                                Elements(columns[i], rows.back(), script)});
      expected[i] += member.tensors.back().raw;
    }
    member.message = Slice::Copy(make::Request("app", "", member.tensors));
    SKYSAIL_HOLDS(ParseRequest(member.message.view(), &member.view).ok());
    SKYSAIL_HOLDS(BatchGroup(member.view) == BatchGroup(members.front().view));
    batch.push_back({&member.message, &member.view, rows.back()});
  }

  const std::string stacked = StackRequests(batch, "m", "1").ToString();
  std::vector<make::Tensor> tensors;
  for (size_t i = 0; i < columns.size(); ++i) {
    tensors.push_back({std::string(1, static_cast<char>('a' + i)), columns[i].kind.datatype,
                       {all_rows, columns[i].width}, expected[i]});
  }
  SKYSAIL_HOLDS(stacked.size() == make::Request("m", "1", tensors).size());
  RequestView view;
  SKYSAIL_HOLDS(ParseRequest(stacked, &view).ok() && view.inputs.size() == columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    SKYSAIL_HOLDS(view.inputs[i].name == tensors[i].name && view.inputs[i].raw == expected[i]);
    SKYSAIL_HOLDS(view.inputs[i].shape == (Shape{all_rows, columns[i].width}));
  }

  const Slice message = Slice::Copy(make::Response("m", "1", tensors));
  Result<std::vector<Bytes>> payloads = SplitResponse(message, Answer(message), rows);
  SKYSAIL_HOLDS(payloads.ok() && payloads->size() == members.size());
  for (size_t m = 0; m < members.size(); ++m) {
    const Slice payload = Slice::Copy((*payloads)[m].ToString());
    const ResponseView part = Answer(payload);
    SKYSAIL_HOLDS(part.outputs.size() == columns.size());
    for (size_t i = 0; i < columns.size(); ++i) {
      SKYSAIL_HOLDS(part.outputs[i].name == tensors[i].name);
      SKYSAIL_HOLDS(part.outputs[i].raw == members[m].tensors[i].raw);
      SKYSAIL_HOLDS(part.outputs[i].shape == (Shape{rows[m], columns[i].width}));
    }
  }
  if (members.size() == 1) return;  // passed on whole
  ++rows[script->Pick(rows.size())];
  SKYSAIL_HOLDS(!SplitResponse(message, Answer(message), rows).ok());
}

}  // namespace
}  // namespace skysail::oip

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  skysail::fuzz::Script script(skysail::fuzz::Text(data, size));
  skysail::oip::Run(&script);
  return 0;
}
