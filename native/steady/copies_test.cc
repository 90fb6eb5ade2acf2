// What a call allocates on its way: for a large tensor the blocks that hold it, one by one (the
// copies that docs/architecture.md states); for a small one how often, bounded for each service.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "oip/transform.h"
#include "steady/caller.h"
#include "steady/heap.h"
#include "steady/plane.h"

namespace skysail::steady {
namespace {

using services::CallScope;
using services::InferCall;
using services::InferCompletion;
using services::InferResponse;
using services::InferService;
using services::ModelTask;
using services::testing::HandLoop;

// What goes beside the tensor: names, prefixes, the block's own header.
constexpr size_t kBeside = 1024;
constexpr size_t kRowBytes = size_t{256} << 10;
constexpr int64_t kColumns = kRowBytes / sizeof(float);

oip::Signature WideSignature() {
  oip::Signature signature;
  signature.inputs = {{"x", oip::DataType::kFp32, {-1, kColumns}}};
  signature.outputs = {{"y", oip::DataType::kFp32, {-1, kColumns}}};
  return signature;
}
Slice WideRequest(int64_t rows, char fill) {
  const std::string raw(static_cast<size_t>(rows) * kRowBytes, fill);
  return Slice::Copy(oip::testing::Request("shop", "", {{"x", "FP32", {rows, kColumns}, raw}}));
}
// The model of these tests gives its input back: one block, the model's own.
void Echo(ModelTask& task) {
  oip::RequestView view;
  static_cast<void>(oip::ParseRequest(task.message().view(), &view));
  const std::string_view raw = view.inputs[0].raw;
  Bytes answer(Slice::Copy(
      oip::testing::TensorField({"y", "FP32", {task.rows(), kColumns}, ""})));
  std::string prefix;
  oip::wire::AppendPrefix(&prefix, 6, raw.size());
  answer.Append(Slice::Copy(prefix));
  answer.Append(task.message().Sub(raw));
  static_cast<void>(task.Respond(answer.Flatten()));
}

PlaneOptions Wide(bool mesh, bool cache) {
  PlaneOptions options;
  options.mesh = mesh;
  options.cache = cache;
  options.objective = 60 * kSecond;
  options.signature = WideSignature();
  options.model = &Echo;
  return options;
}

// Large blocks by what each can hold, in steps of half a row, smallest first.
std::vector<size_t> Steps() {
  std::vector<size_t> steps;
  for (const size_t bytes : LargeBlocks()) {
    EXPECT_LE(bytes % (kRowBytes / 2), kBeside) << bytes;
    steps.push_back(bytes / (kRowBytes / 2));
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}
// `times` messages of a MiB read off a socket. Each gets the block that it ends in, but not before it has
// come: 256 KiB and 512 KiB are the steps to it.
void Received(int times, std::vector<size_t>* steps) {
  for (int i = 0; i < times; ++i) steps->insert(steps->end(), {2, 4, 8});
}
constexpr size_t kMiB = 8;  // in such steps

class CopiesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!kHeapCounted) GTEST_SKIP() << "the sanitizer has an allocator of its own";
  }
  // The large blocks that one call of a MiB costs, client and model server included.
  std::vector<size_t> Cost(Caller& caller, const Slice& request) {
    ForgetLargeBlocks();
    const Slice answer = caller.Ask(request);
    EXPECT_GT(answer.size(), 4 * kRowBytes);
    return Steps();
  }
  static std::vector<size_t> Expected(int received, std::vector<size_t> more) {
    Received(received, &more);
    std::sort(more.begin(), more.end());
    return more;
  }
  HandLoop hand_;
};

TEST_F(CopiesTest, TheHeapIsCounted) {
  const uint64_t before = ThreadAllocations();
  const int64_t live = LiveBytes();
  auto block = std::make_unique<std::string>(kLargeBytes, 'x');
  EXPECT_EQ(ThreadAllocations(), before + 2);
  EXPECT_GE(LiveBytes(), live + static_cast<int64_t>(kLargeBytes));
  block.reset();
  EXPECT_EQ(LiveBytes(), live);
}

// Received by the frontend, the replica, the batcher and the client; one block is the model's.
TEST_F(CopiesTest, ATensorIsCopiedOnlyFromSocketsWhenFused) {
  Plane plane(Wide(false, false));
  Caller caller(hand_, plane.address());
  const Slice request = WideRequest(4, 'a');
  Cost(caller, request);
  EXPECT_EQ(Cost(caller, request), Expected(4, {kMiB}));
}

// Two more services receive the request, and two the answer.
TEST_F(CopiesTest, EachHopOfAMeshReceivesItOnceMore) {
  Plane plane(Wide(true, false));
  Caller caller(hand_, plane.address());
  const Slice request = WideRequest(4, 'a');
  Cost(caller, request);
  EXPECT_EQ(Cost(caller, request), Expected(8, {kMiB}));
}

// The entry is one block of key and value. A hit hands the value out of it.
TEST_F(CopiesTest, TheCacheKeepsOneCopyAndAHitMakesNone) {
  Plane plane(Wide(false, true));
  Caller caller(hand_, plane.address());
  Cost(caller, WideRequest(4, 'a'));
  const Slice request = WideRequest(4, 'b');
  EXPECT_EQ(Cost(caller, request), Expected(4, {kMiB, 2 * kMiB}));
  EXPECT_EQ(Cost(caller, request), Expected(2, {}));
}

// Members of a batch are gathered from the messages they came in, and their answers cut from the one
// that the replica sent.
TEST_F(CopiesTest, StackingAndSplittingCopyNoLargeTensor) {
  const oip::Signature signature = WideSignature();
  std::vector<Slice> messages;
  std::vector<oip::RequestView> views(4);
  std::vector<oip::BatchMember> members;
  for (size_t i = 0; i < views.size(); ++i) {
    messages.push_back(WideRequest(1, static_cast<char>('a' + i)));
    ASSERT_TRUE(oip::ParseRequest(messages[i].view(), &views[i]).ok());
  }
  for (size_t i = 0; i < views.size(); ++i) members.push_back({&messages[i], &views[i], 1});
  ForgetLargeBlocks();
  const Bytes stacked = oip::StackRequests(members, "sum", "1");
  EXPECT_GT(stacked.size(), 4 * kRowBytes);
  EXPECT_EQ(Steps(), std::vector<size_t>{});

  const std::string raw(4 * kRowBytes, 'y');
  const Slice answer =
      Slice::Copy(oip::testing::Response("sum", "1", {{"y", "FP32", {4, kColumns}, raw}}));
  oip::ResponseView view;
  ASSERT_TRUE(oip::ParseResponse(answer.view(), &view).ok());
  ForgetLargeBlocks();
  const auto parts = oip::SplitResponse(answer, view, {1, 1, 1, 1});
  ASSERT_TRUE(parts.ok());
  EXPECT_EQ(Steps(), std::vector<size_t>{});
}

TEST_F(CopiesTest, ReadingARawRequestCopiesNothing) {
  const Slice message = WideRequest(4, 'a');
  ForgetLargeBlocks();
  ASSERT_TRUE(services::ReadRequest(message, false).ok());
  EXPECT_EQ(Steps(), std::vector<size_t>{});
}

// The raw form of a tensor, the message around it (with room for twice what came), its block. A
// message with what its caller may not set is written anew without that: into a string, and from
// there into a block.
TEST_F(CopiesTest, TypedContentsAndForbiddenParametersCostAMessageWrittenAnew) {
  const std::string raw(4 * kRowBytes, 'a');
  const Slice typed = Slice::Copy(
      oip::testing::Text(1, "shop") +
      oip::testing::TensorField({"x", "FP32", {4, kColumns}, ""},
                                oip::testing::Text(5, oip::testing::Text(6, raw))));
  ForgetLargeBlocks();
  ASSERT_TRUE(services::ReadRequest(typed, false).ok());
  EXPECT_EQ(Steps(), (std::vector<size_t>{kMiB, kMiB, 2 * kMiB}));

  const Slice forbidden = Slice::Copy(
      oip::testing::Request("shop", "", {{"x", "FP32", {4, kColumns}, raw}},
                            oip::testing::TextParameter("skysail.application", "other")));
  ForgetLargeBlocks();
  ASSERT_TRUE(services::ReadRequest(forbidden, false).ok());
  EXPECT_EQ(Steps(), (std::vector<size_t>{kMiB, kMiB}));
}

// --- small calls --------------------------------------------------------------------------------

// Answers at once with a payload that is there already.
class Instant final : public InferService {
 public:
  void Infer(InferCall call) override {
    InferResponse response;
    response.payload = Bytes(Slice::Static("answer"));
    call.Finish(std::move(response));
  }
};

class SmallCallTest : public CopiesTest {
 protected:
  static Slice SmallRequest(float a = 1, std::string_view name = "sum") {
    return Slice::Copy(services::testing::SumRequest(name, {a, 2}));
  }
  static services::Application Sum() {
    services::Application application;
    application.name = "sum";
    application.models = {"sum"};
    application.signature = services::testing::SumSignature();
    return application;
  }
  static services::ServedVersion SumVersion(const std::string& address) {
    services::ServedVersion version;
    version.model = "sum";
    version.version = "1";
    version.digest = "one";
    version.signature = services::testing::SumSignature();
    version.objective = 20 * kSecond;
    version.replicas = {{"replica", address}};
    return version;
  }

  // Allocations of this thread from Infer to the answer of one call, in the mean of many; the loop
  // is turned for services that answer later. `answer` runs after Infer.
  double Mean(InferService& service, bool distinct = false,
              const std::function<void()>& answer = nullptr) {
    constexpr int kWarm = 200, kMeasured = 1000;
    uint64_t spent = 0;
    int failed = 0;
    for (int i = 0; i < kWarm + kMeasured; ++i) {
      if (i == kWarm) spent = 0;
      bool done = false;
      const Slice message = SmallRequest(distinct ? static_cast<float>(i) : 1);
      auto request = services::ReadRequest(message, false);
      InferCall call(std::move(request.value()), SystemClock::Get().Now() + 10 * kSecond,
                     std::make_shared<CallScope>(hand_.loop()),
                     std::make_unique<Mark>(done, failed));
      const uint64_t before = ThreadAllocations();
      service.Infer(std::move(call));
      if (answer) answer();
      while (!done) hand_.loop().RunOnce(kMillisecond);
      spent += ThreadAllocations() - before;
    }
    EXPECT_EQ(failed, 0);
    return static_cast<double>(spent) / kMeasured;
  }

 private:
  class Mark final : public InferCompletion {
   public:
    Mark(bool& done, int& failed) : done_(done), failed_(failed) {}
    void Done(InferResponse response) override {
      failed_ += response.status.ok() ? 0 : 1;
      done_ = true;
    }

   private:
    bool& done_;
    int& failed_;
  };
};

// The request, and what its view lists: parameters, tensors, visible parts.
TEST_F(SmallCallTest, ReadingARequestTakesFourAllocations) {
  const Slice message = SmallRequest();
  const uint64_t before = ThreadAllocations();
  const auto request = services::ReadRequest(message, false);
  EXPECT_LE(ThreadAllocations() - before, 4u);
}

// What waits for the answer and for the deadline.
TEST_F(SmallCallTest, AFrontendTakesOneAllocation) {
  services::Frontend frontend(hand_.loops(), std::make_shared<Instant>());
  ASSERT_TRUE(frontend.Publish({Sum()}, 1).ok());
  EXPECT_LE(Mean(frontend), 1);
}

TEST_F(SmallCallTest, ASelectorTakesNone) {
  services::Selector selector(hand_.loops(), std::make_shared<Instant>());
  ASSERT_TRUE(selector.Publish({Sum()}, {{"sum", {{"1", 1.0}}, ""}}, 1).ok());
  EXPECT_LE(Mean(selector), 0);
}

TEST_F(SmallCallTest, ABatcherThatKnowsTheAnswerTakesNone) {
  TestReplica replica;
  services::Batcher batcher(hand_.loops(), {});
  ASSERT_TRUE(batcher.Publish({SumVersion(replica.address())}, 1).ok());
  EXPECT_LE(Mean(batcher), 0);
}

// Alone in its batch: its place in the queue and among the flights, the request that is built for the
// replica, the stream that it goes out on, what the replica tells of its time, its entry in the cache.
TEST_F(SmallCallTest, ABatcherThatAsksAReplicaTakesAtMostTwentyFive) {
  TestReplica replica;
  services::Batcher batcher(hand_.loops(), {});
  ASSERT_TRUE(batcher.Publish({SumVersion(replica.address())}, 1).ok());
  EXPECT_LE(Mean(batcher, true), 25);
}

// The task, what is posted to the loop with its answer, what the answer's view lists.
TEST_F(SmallCallTest, AModelServerTakesAtMostSeven) {
  services::ModelServer server({"sum", "1", services::testing::SumSignature()});
  const std::string answer = services::testing::SumResponse({3});
  const auto run = [&] { static_cast<void>(server.Next(0)->Respond(Slice::Static(answer))); };
  EXPECT_LE(Mean(server, false, run), 7);
}

// All threads together, from the client to the model and back: the streams and headers of each hop.
TEST_F(SmallCallTest, TheWholePathTakesAtMostNinetyFusedAndAHundredAndTwentyInAMesh) {
  for (const bool mesh : {false, true}) {
    PlaneOptions options;
    options.mesh = mesh;
    Plane plane(options);
    Caller caller(hand_, plane.address());
    const Slice request = SmallRequest(1, "shop");
    const auto same = [&request](uint64_t) { return request; };
    caller.Many(1000, 1, same);
    const uint64_t before = Allocations();
    caller.Many(1000, 1, same);
    EXPECT_LE(static_cast<double>(Allocations() - before) / 1000, mesh ? 120 : 90);
  }
}

}  // namespace
}  // namespace skysail::steady
