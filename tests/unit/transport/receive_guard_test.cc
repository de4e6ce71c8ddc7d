#include "dispatcher/transport/receive_guard.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/processor_time.h"

namespace hookd {
namespace {

// A thread whose memory is returned to the system as it ends: larger than what the library keeps of stacks.
void RunAndEnd(void* (*run)(void*), void* argument) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, size_t{64} << 20), 0);
  pthread_t thread{};
  ASSERT_EQ(pthread_create(&thread, &attributes, run, argument), 0);
  ASSERT_EQ(pthread_join(thread, nullptr), 0);
  pthread_attr_destroy(&attributes);
}

// A shard's thread ends before its transport goes. So many of them outlast several looks of the guard.
TEST(ReceiveGuardTest, TheLoopsThreadMayEndBeforeIt) {
  ReceiveGuard guard;
  for (int i = 0; i < 1'000; ++i) {
    RunAndEnd(
        [](void* it) -> void* {
          auto& of_loop = *static_cast<ReceiveGuard*>(it);
          const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
          of_loop.Begin(socket);
          of_loop.Enter(socket);
          of_loop.Leave();
          of_loop.End(socket);
          close(socket);
          return nullptr;
        },
        &guard);
  }
}

TEST(ProcessorTimeTest, OfAThreadThatIsGoneThereIsNone) {
  clockid_t clock{};
  RunAndEnd(
      [](void* it) -> void* {
        *static_cast<clockid_t*>(it) = ThisThreadsProcessorClock();
        return nullptr;
      },
      &clock);
  EXPECT_EQ(ProcessorTime(clock), Duration::zero());
  EXPECT_GT(ProcessorTime(ThisThreadsProcessorClock()), Duration::zero());
}

}  // namespace
}  // namespace hookd
