// ThreadSanitizer sees what Abseil puts in order, and that something is not: seen_test [race].
#include <cstdio>
#include <cstring>
#include <thread>

#include <absl/synchronization/blocking_counter.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>

namespace {

int counted = 0;

void Count(absl::Mutex& mutex) {
  for (int i = 0; i < 1000; ++i) {
    absl::MutexLock lock(&mutex);
    ++counted;
  }
}

void Race() {
  for (int i = 0; i < 1000; ++i) ++counted;
}

void InOrder() {
  absl::Mutex mutex;
  absl::Notification told;
  absl::BlockingCounter both(2);
  int told_value = 0;
  int done_value = 0;
  std::thread one([&] {
    Count(mutex);
    told_value = 1;
    told.Notify();
    both.DecrementCount();
  });
  std::thread two([&] {
    Count(mutex);
    told.WaitForNotification();
    done_value = told_value + 1;
    both.DecrementCount();
  });
  both.Wait();
  {
    absl::MutexLock lock(&mutex);
    const auto all = [] { return counted >= 2000; };
    mutex.Await(absl::Condition(&all));
  }
  std::printf("in order: %d, %d\n", counted, done_value);
  one.join();
  two.join();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "race") == 0) {
    std::thread one(&Race);
    Race();
    one.join();
    return 0;
  }
  InOrder();
  return 0;
}
