// Debian's Abseil is built without ThreadSanitizer, which therefore does not see what absl::Mutex and its
// like put in order: everything that they guard would be reported as a race. In the build with
// ThreadSanitizer the linker puts these functions in the place of Abseil's (wrapped_symbols.txt); they tell
// it, and call what they stand for. What libraries call among themselves stays unseen.
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <sanitizer/tsan_interface.h>

// Declares __real_SYMBOL, and begins __wrap_SYMBOL.
#define HOOKD_WRAP(result, symbol, ...)           \
  extern "C" result __real_##symbol(__VA_ARGS__); \
  extern "C" result __wrap_##symbol(__VA_ARGS__)

extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);

namespace {

// Not of the linker's making: they may be destroyed.
constexpr unsigned kExclusive = __tsan_mutex_not_static;
constexpr unsigned kShared = __tsan_mutex_not_static | __tsan_mutex_read_lock;

// For the time between the two, the mutex is somebody else's.
void BeforeWait(void* mutex) {
  __tsan_mutex_pre_unlock(mutex, kExclusive);
  __tsan_mutex_post_unlock(mutex, kExclusive);
  __tsan_mutex_pre_lock(mutex, kExclusive);
}
void AfterWait(void* mutex) { __tsan_mutex_post_lock(mutex, kExclusive, 0); }

// absl::Notification: what HasBeenNotified reads, inline, lies behind its mutex.
void* FlagOf(void* notification) { return static_cast<char*>(notification) + sizeof(absl::Mutex); }

}  // namespace

HOOKD_WRAP(void, _ZN4absl7debian35Mutex4LockEv, void* mutex) {
  __tsan_mutex_pre_lock(mutex, kExclusive);
  __real__ZN4absl7debian35Mutex4LockEv(mutex);
  __tsan_mutex_post_lock(mutex, kExclusive, 0);
}

HOOKD_WRAP(void, _ZN4absl7debian35Mutex6UnlockEv, void* mutex) {
  __tsan_mutex_pre_unlock(mutex, kExclusive);
  __real__ZN4absl7debian35Mutex6UnlockEv(mutex);
  __tsan_mutex_post_unlock(mutex, kExclusive);
}

HOOKD_WRAP(void, _ZN4absl7debian35Mutex10ReaderLockEv, void* mutex) {
  __tsan_mutex_pre_lock(mutex, kShared);
  __real__ZN4absl7debian35Mutex10ReaderLockEv(mutex);
  __tsan_mutex_post_lock(mutex, kShared, 0);
}

HOOKD_WRAP(void, _ZN4absl7debian35Mutex12ReaderUnlockEv, void* mutex) {
  __tsan_mutex_pre_unlock(mutex, kShared);
  __real__ZN4absl7debian35Mutex12ReaderUnlockEv(mutex);
  __tsan_mutex_post_unlock(mutex, kShared);
}

HOOKD_WRAP(void, _ZN4absl7debian35MutexD1Ev, void* mutex) {
  __tsan_mutex_destroy(mutex, kExclusive);
  __real__ZN4absl7debian35MutexD1Ev(mutex);
}

HOOKD_WRAP(void, _ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE, void* mutex,
           const absl::Condition& condition) {
  BeforeWait(mutex);
  __real__ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE(mutex, condition);
  AfterWait(mutex);
}

HOOKD_WRAP(bool, _ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE, void* mutex,
           const absl::Condition& condition, absl::Duration timeout) {
  BeforeWait(mutex);
  const bool reached = __real__ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE(
      mutex, condition, timeout);
  AfterWait(mutex);
  return reached;
}

HOOKD_WRAP(void, _ZN4absl7debian37CondVar4WaitEPNS0_5MutexE, void* condition, void* mutex) {
  BeforeWait(mutex);
  __real__ZN4absl7debian37CondVar4WaitEPNS0_5MutexE(condition, mutex);
  AfterWait(mutex);
}

HOOKD_WRAP(bool, _ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE, void* condition,
           void* mutex, absl::Duration timeout) {
  BeforeWait(mutex);
  const bool in_vain =
      __real__ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE(condition, mutex, timeout);
  AfterWait(mutex);
  return in_vain;
}

HOOKD_WRAP(void, _ZN4absl7debian312Notification6NotifyEv, void* notification) {
  __tsan_release(notification);
  __tsan_release(FlagOf(notification));
  // It looks once more whether there is somebody to wake, in code of a header: when that one may be on its
  // way already.
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  __real__ZN4absl7debian312Notification6NotifyEv(notification);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
}

HOOKD_WRAP(void, _ZNK4absl7debian312Notification19WaitForNotificationEv, void* notification) {
  __real__ZNK4absl7debian312Notification19WaitForNotificationEv(notification);
  __tsan_acquire(notification);
}

HOOKD_WRAP(bool, _ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE,
           void* notification, absl::Duration timeout) {
  const bool notified = __real__ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE(
      notification, timeout);
  if (notified) __tsan_acquire(notification);
  return notified;
}

HOOKD_WRAP(bool, _ZN4absl7debian315BlockingCounter14DecrementCountEv, void* counter) {
  __tsan_release(counter);
  return __real__ZN4absl7debian315BlockingCounter14DecrementCountEv(counter);
}

HOOKD_WRAP(void, _ZN4absl7debian315BlockingCounter4WaitEv, void* counter) {
  __real__ZN4absl7debian315BlockingCounter4WaitEv(counter);
  __tsan_acquire(counter);
}
