#include "services/loop_bridge.h"

#include <memory>
#include <utility>

namespace skysail::services {
namespace {

// Shared by both loops until the answer has crossed back. Each member belongs to one of them.
class Bridge final : public CancelHandler, public std::enable_shared_from_this<Bridge> {
 public:
  Bridge(InferCall call, net::EventLoop& home)
      : call_(std::move(call)), home_(home), home_scope_(std::make_shared<CallScope>(home)) {}

  void Cross(std::function<void(InferCall)> take) {
    call_.scope()->SetHandler(this);
    home_.Post([self = shared_from_this(), take = std::move(take)] {
      InferCall twin(self->call_.TakeRequest(), self->call_.deadline(), self->home_scope_,
                     std::make_unique<Return>(self));
      twin.trace = std::move(self->call_.trace);
      take(std::move(twin));
    });
  }

  void OnCancel() override {  // on the call's loop
    home_.Post([scope = home_scope_] { scope->Cancel(); });
  }

 private:
  class Return final : public InferCompletion {
   public:
    explicit Return(std::shared_ptr<Bridge> bridge) : bridge_(std::move(bridge)) {}
    void Done(InferResponse response) override {  // on the home loop
      auto answer = std::make_shared<InferResponse>(std::move(response));
      net::EventLoop& loop = bridge_->call_.loop();
      loop.Post([bridge = std::move(bridge_), answer] {
        bridge->call_.Finish(std::move(*answer));
      });
    }

   private:
    std::shared_ptr<Bridge> bridge_;
  };

  InferCall call_;  // finished on its own loop; its request and trace are taken on the home loop
  net::EventLoop& home_;
  const std::shared_ptr<CallScope> home_scope_;
};

}  // namespace

void CrossTo(net::EventLoop& home, InferCall call, std::function<void(InferCall)> take) {
  std::make_shared<Bridge>(std::move(call), home)->Cross(std::move(take));
}

}  // namespace skysail::services
