#include "tests/bench/ceilings.h"

#include <sys/resource.h>

#include <memory>
#include <vector>

#include <curl/curl.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include "base/check.h"
#include "tests/bench/stats.h"

namespace hookd::bench {
namespace {

size_t Swallow(char*, size_t size, size_t count, void*) { return size * count; }

std::string BigEndian(uint64_t value) {
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
  return out;
}

}  // namespace

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Rate CurlLoop(const std::string& url, size_t requests, size_t in_flight, size_t body_bytes) {
  const std::string body(body_bytes, 'x');
  const std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi(curl_multi_init(), &curl_multi_cleanup);
  curl_slist* headers = nullptr;
  for (const char* line : {"Content-Type: application/json", "Expect:",
                           "webhook-id: evt_01h455vb4pex5vsknk084sn02q", "webhook-timestamp: 1700000000",
                           "webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="}) {
    headers = curl_slist_append(headers, line);
  }
  std::vector<CURL*> handles;
  for (size_t i = 0; i < in_flight; ++i) {
    CURL* easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Swallow);
    handles.push_back(easy);
  }
  const double cpu = CpuSeconds();
  const double start = NowSeconds();
  size_t started = 0;
  size_t done = 0;
  for (CURL* easy : handles) {
    curl_multi_add_handle(multi.get(), easy);
    ++started;
  }
  while (done < requests) {
    int running = 0;
    curl_multi_perform(multi.get(), &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left)) {
      long code = 0;
      curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &code);
      HOOKD_CHECK(message->data.result == CURLE_OK && code == 204, "the receiver answers 204");
      ++done;
      curl_multi_remove_handle(multi.get(), message->easy_handle);
      if (started < requests) {
        curl_multi_add_handle(multi.get(), message->easy_handle);
        ++started;
      }
    }
    if (done < requests) curl_multi_poll(multi.get(), nullptr, 0, 100, nullptr);
  }
  const double took = NowSeconds() - start;
  const double used = CpuSeconds() - cpu;
  for (CURL* easy : handles) curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  return {static_cast<double>(done) / took, used / static_cast<double>(done) * 1e6};
}

Rate RocksDbLoop(const std::string& path, size_t messages, size_t batch, size_t value_bytes) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* raw = nullptr;
  HOOKD_CHECK(rocksdb::DB::Open(options, path, &raw).ok(), "an empty folder opens");
  const std::unique_ptr<rocksdb::DB> db(raw);
  const std::string value(value_bytes, 'x');
  rocksdb::WriteOptions durable;
  durable.sync = true;
  const double cpu = CpuSeconds();
  const double start = NowSeconds();
  for (size_t written = 0; written < messages;) {
    rocksdb::WriteBatch write;
    for (size_t i = 0; i < batch && written < messages; ++i, ++written) {
      write.Put("v" + BigEndian(written), value);
      write.Put("i" + BigEndian(written % 64) + BigEndian(written), "");
    }
    HOOKD_CHECK(db->Write(durable, &write).ok(), "the disk takes it");
  }
  const double took = NowSeconds() - start;
  return {static_cast<double>(messages) / took, (CpuSeconds() - cpu) / static_cast<double>(messages) * 1e6};
}

}  // namespace hookd::bench
