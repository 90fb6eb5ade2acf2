#include <cstring>
#include <numeric>

#include "oip/encode.h"
#include "oip/gather.h"
#include "oip/response.h"
#include "oip/text.h"
#include "oip/transform.h"
#include "oip/wire.h"

namespace skysail::oip {
namespace {

constexpr int kRawOutput = 6;

// Hands out the bytes of one output, row by row.
class RowCursor {
 public:
  // Requires total_rows > 0.
  RowCursor(const TensorView& tensor, int64_t total_rows)
      : rest_(tensor.raw),
        row_bytes_(tensor.raw.size() / total_rows),
        row_elements_(tensor.datatype == DataType::kBytes ? tensor.shape.Elements() / total_rows
                                                          : 0),
        is_bytes_(tensor.datatype == DataType::kBytes) {}

  // False when there are fewer bytes than that.
  bool Take(int64_t rows, std::string_view* part) {
    size_t size;
    if (!is_bytes_) {
      size = row_bytes_ * rows;
    } else if (!Walk(row_elements_ * rows, &size)) {
      return false;
    }
    if (size > rest_.size()) return false;
    *part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool done() const { return rest_.empty(); }

 private:
  bool Walk(int64_t elements, size_t* size) const {
    size_t at = 0;
    for (; elements > 0; --elements) {
      uint32_t length;
      if (rest_.size() - at < sizeof(length)) return false;
      std::memcpy(&length, rest_.data() + at, sizeof(length));
      at += sizeof(length);
      if (rest_.size() - at < length) return false;
      at += length;
    }
    *size = at;
    return true;
  }

  std::string_view rest_;
  size_t row_bytes_;
  int64_t row_elements_;
  bool is_bytes_;
};

Status WrongRows(const TensorView& tensor, int64_t rows) {
  return Internal("the model broke its contract: output " + Quote(tensor.name) + ": expected " +
                  std::to_string(rows) + " rows, got shape " + tensor.shape.ToString() + " in " +
                  std::to_string(tensor.raw.size()) + " bytes");
}

// The fields that come before the bytes in a payload of that many rows.
std::string Head(const ResponseView& response, const std::string& parameters, int64_t rows) {
  std::string head = parameters;
  for (const TensorView& output : response.outputs) AppendTensor(&head, output, rows);
  return head;
}

size_t CopiedBytes(const ResponseView& response, const std::vector<int64_t>& rows,
                   int64_t total_rows, size_t head) {
  size_t copied = rows.size() * (head + response.outputs.size() * 2 * wire::kMaxVarint);
  for (const TensorView& output : response.outputs) {
    const size_t mean = output.raw.size() / total_rows;
    for (int64_t count : rows) copied += Gather::Copied(mean * count);
  }
  return copied;
}

}  // namespace

Result<std::vector<Bytes>> SplitResponse(const Slice& message, const ResponseView& response,
                                         const std::vector<int64_t>& rows) {
  std::vector<Bytes> payloads;
  payloads.reserve(rows.size());
  if (rows.size() == 1) {
    payloads.push_back(PayloadOf(message, response));
    return payloads;
  }
  const int64_t total = std::accumulate(rows.begin(), rows.end(), int64_t{0});
  std::vector<RowCursor> cursors;
  cursors.reserve(response.outputs.size());
  for (const TensorView& output : response.outputs) {
    if (output.shape.rank() == 0 || output.shape[0] != total || total == 0) {
      return WrongRows(output, total);
    }
    cursors.emplace_back(output, total);
  }
  std::string parameters;
  AppendVisibleParameters(&parameters, response.parameters);
  int64_t head_rows = rows.empty() ? 0 : rows[0];
  std::string head = Head(response, parameters, head_rows);
  Gather gather(total == 0 ? 0 : CopiedBytes(response, rows, total, head.size() + 2));
  for (int64_t count : rows) {
    if (count != head_rows) {
      head_rows = count;
      head = Head(response, parameters, count);
    }
    gather.Copy(head);
    for (size_t i = 0; i < cursors.size(); ++i) {
      std::string_view part;
      if (!cursors[i].Take(count, &part)) return WrongRows(response.outputs[i], total);
      gather.Prefix(kRawOutput, part.size());
      gather.Piece(message, part);
    }
    payloads.push_back(gather.Take());
  }
  for (size_t i = 0; i < cursors.size(); ++i) {
    if (!cursors[i].done()) return WrongRows(response.outputs[i], total);
  }
  return payloads;
}

}  // namespace skysail::oip
