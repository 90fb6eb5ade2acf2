#include "bindings/dispatcher.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace skysail::bindings {

namespace py = pybind11;

struct Dispatcher::Impl {
  void Run() {
    std::unique_lock<std::mutex> lock(mu);
    for (;;) {
      changed.wait(lock, [this] { return stopping || !tasks.empty(); });
      if (tasks.empty()) return;
      std::vector<std::function<void()>> batch = std::exchange(tasks, {});
      lock.unlock();
      {
        py::gil_scoped_acquire gil;
        for (std::function<void()>& task : batch) RunOne(&task);
      }
      lock.lock();
    }
  }

  static void RunOne(std::function<void()>* task) {
    try {
      (*task)();
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable("a call from a native thread");
    } catch (const std::exception& error) {
      PyErr_SetString(PyExc_RuntimeError, error.what());
      PyErr_WriteUnraisable(nullptr);
    }
    *task = nullptr;
  }

  mutable std::mutex mu;
  std::condition_variable changed;
  // Guarded by mu.
  std::vector<std::function<void()>> tasks;
  std::thread thread;
  bool stopping = false;
};

Dispatcher::Dispatcher() : impl_(new Impl) {}

Dispatcher& Dispatcher::Get() {
  static Dispatcher* const dispatcher = new Dispatcher;
  return *dispatcher;
}

void Dispatcher::Post(std::function<void()> task) {
  {
    std::lock_guard<std::mutex> lock(impl_->mu);
    if (impl_->stopping) {
      // Python is going away: destroying what the task holds would need it.
      new std::function<void()>(std::move(task));
      return;
    }
    if (!impl_->thread.joinable()) impl_->thread = std::thread([impl = impl_] { impl->Run(); });
    impl_->tasks.push_back(std::move(task));
  }
  impl_->changed.notify_one();
}

size_t Dispatcher::pending() const {
  std::lock_guard<std::mutex> lock(impl_->mu);
  return impl_->tasks.size();
}

void Dispatcher::Stop() {
  {
    std::lock_guard<std::mutex> lock(impl_->mu);
    impl_->stopping = true;
  }
  impl_->changed.notify_one();
  if (impl_->thread.joinable()) impl_->thread.join();
}

SharedObject Share(py::object object) {
  return SharedObject(new py::object(std::move(object)), [](py::object* shared) {
    if (!Py_IsInitialized()) return;
    if (PyGILState_Check()) {
      delete shared;
    } else {
      Dispatcher::Get().Post([shared] { delete shared; });
    }
  });
}

}  // namespace skysail::bindings
