#include "registry/http.h"

#include <algorithm>
#include <array>

#include <curl/curl.h>

#include "core/ascii.h"
#include "core/core.h"
#include "core/loopback.h"
#include "platform/file.h"
#include "platform/spawn.h"

namespace knarr::registry {
namespace {

constexpr long kConnectTimeoutSeconds = 30;
constexpr std::size_t kMaxHeadBytes = 64 * std::size_t{1024};
constexpr std::size_t kMaxTrustStoreBytes = 4 * size::kMiB;
constexpr const char* kSystemTrust = "/etc/ssl/certs/ca-certificates.crt";

struct EasyDeleter {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using Multi = std::unique_ptr<CURLM, MultiDeleter>;
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

std::string_view trim(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

HttpEnd end_of(CURLcode code) {
    switch (code) {
        case CURLE_OK:
            return HttpEnd::complete;
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
        case CURLE_OPERATION_TIMEDOUT:  // only the connect timeout is set
            return HttpEnd::no_connect;
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
            return HttpEnd::bad_tls;
        case CURLE_SSL_CONNECT_ERROR:
            return HttpEnd::no_tls;
        case CURLE_PARTIAL_FILE:
        case CURLE_GOT_NOTHING:
        case CURLE_SEND_ERROR:
        case CURLE_SEND_FAIL_REWIND:
        case CURLE_RECV_ERROR:
            return HttpEnd::broken;
        case CURLE_WRITE_ERROR:
            return HttpEnd::stopped;
        default:
            return HttpEnd::failed;
    }
}

class CurlExchange final : public HttpExchange {
public:
    CurlExchange(CURLM* multi, Easy easy, HttpSink& sink)
        : multi_(multi), easy_(std::move(easy)), sink_(sink) {}
    CurlExchange(const CurlExchange&) = delete;
    CurlExchange& operator=(const CurlExchange&) = delete;
    ~CurlExchange() override { curl_multi_remove_handle(multi_, easy_.get()); }

    Result<> begin(const HttpRequest& request);
    void resume() override { curl_easy_pause(easy_.get(), CURLPAUSE_CONT); }

    void finish(CURLcode code) {
        const char* detail = error_[0] != '\0' ? error_.data() : curl_easy_strerror(code);
        sink_.on_end(end_of(code), detail);
    }

private:
    template <typename T>
    void set(CURLoption option, T value) {
        const CURLcode code = curl_easy_setopt(easy_.get(), option, value);
        if (code != CURLE_OK && bad_option_ == CURLE_OK) {
            bad_option_ = code;
        }
    }
    static std::size_t on_header(char* data, std::size_t one, std::size_t count, void* self);
    static std::size_t on_body(char* data, std::size_t one, std::size_t count, void* self);
    static std::size_t on_read(char* data, std::size_t one, std::size_t count, void* self);
    static int on_seek(void* self, curl_off_t offset, int origin);
    void set_tls(const Tls& tls);
    void set_blob(CURLoption option, const std::string& pem);
    void set_method(const HttpRequest& request);
    bool take_header(std::string_view line);

    CURLM* multi_;
    Easy easy_;
    HttpSink& sink_;
    HeaderList headers_;
    std::string form_;
    HttpBody body_;
    std::uint64_t sent_ = 0;  // of the body
    HttpHead head_;
    std::size_t head_bytes_ = 0;
    bool head_given_ = false;
    CURLcode bad_option_ = CURLE_OK;
    std::array<char, CURL_ERROR_SIZE> error_{};
};

void CurlExchange::set_blob(CURLoption option, const std::string& pem) {
    if (!pem.empty()) {
        curl_blob blob{.data = const_cast<char*>(pem.data()),  // only read: NOCOPY
                       .len = pem.size(),
                       .flags = CURL_BLOB_NOCOPY};
        set(option, &blob);
    }
}

void CurlExchange::set_tls(const Tls& tls) {
    set_blob(CURLOPT_CAINFO_BLOB, tls.authorities);
    set_blob(CURLOPT_SSLCERT_BLOB, tls.client_certificate);
    set_blob(CURLOPT_SSLKEY_BLOB, tls.client_key);
    if (!tls.verify) {
        set(CURLOPT_SSL_VERIFYPEER, 0L);
        set(CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

void CurlExchange::set_method(const HttpRequest& request) {
    if (request.form) {
        form_ = *request.form;
        set(CURLOPT_POST, 1L);
        set(CURLOPT_POSTFIELDSIZE, static_cast<long>(form_.size()));
        set(CURLOPT_POSTFIELDS, form_.c_str());
        return;
    }
    if (request.method == "HEAD") {
        set(CURLOPT_NOBODY, 1L);
    } else if (request.body) {
        body_ = *request.body;
        set(CURLOPT_UPLOAD, 1L);
        set(CURLOPT_READFUNCTION, &CurlExchange::on_read);
        set(CURLOPT_READDATA, this);
        set(CURLOPT_SEEKFUNCTION, &CurlExchange::on_seek);
        set(CURLOPT_SEEKDATA, this);
        set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(body_.bytes));
        set(CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
        set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    } else if (request.method != "GET") {
        set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
}

Result<> CurlExchange::begin(const HttpRequest& request) {
    set(CURLOPT_URL, request.url.text().c_str());
    set(CURLOPT_PRIVATE, this);
    set(CURLOPT_PROTOCOLS_STR, request.url.scheme.c_str());
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT, kConnectTimeoutSeconds);
    set(CURLOPT_USERAGENT, "knarr/" KNARR_VERSION);
    set(CURLOPT_BUFFERSIZE, 256L * 1024);
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_HEADERFUNCTION, &CurlExchange::on_header);
    set(CURLOPT_HEADERDATA, this);
    set(CURLOPT_WRITEFUNCTION, &CurlExchange::on_body);
    set(CURLOPT_WRITEDATA, this);
    if (is_loopback(request.url.host)) {
        set(CURLOPT_PROXY, "");  // a proxy's loopback is another machine's
    }
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (request.tls != nullptr) {
        set_tls(*request.tls);
    }
    curl_slist* list = nullptr;
    for (const std::string& header : request.headers) {
        list = curl_slist_append(list, header.c_str());
        static_cast<void>(headers_.release());
        headers_.reset(list);
    }
    set(CURLOPT_HTTPHEADER, headers_.get());
    set_method(request);
    if (bad_option_ != CURLE_OK) {
        return fail(Errc::internal, "libcurl: {}", curl_easy_strerror(bad_option_));
    }
    if (const CURLMcode code = curl_multi_add_handle(multi_, easy_.get()); code != CURLM_OK) {
        return fail(Errc::internal, "libcurl: {}", curl_multi_strerror(code));
    }
    return {};
}

std::size_t CurlExchange::on_header(char* data, std::size_t, std::size_t count, void* self) {
    const bool go_on = static_cast<CurlExchange*>(self)->take_header({data, count});
    return go_on ? count : count + 1;  // another count than ours ends the exchange
}

bool CurlExchange::take_header(std::string_view line) {
    if (head_given_) {
        return true;  // a trailer
    }
    head_bytes_ += line.size();
    if (head_bytes_ > kMaxHeadBytes) {
        return false;
    }
    if (line.starts_with("HTTP/")) {
        head_ = HttpHead{};  // also after a 100 Continue
        return true;
    }
    const std::string_view text = trim(line);
    if (!text.empty()) {
        const std::size_t colon = text.find(':');
        std::string name = to_lower(std::string(text.substr(0, colon)));
        if (colon != std::string_view::npos) {
            head_.fields.emplace_back(std::move(name), trim(text.substr(colon + 1)));
        }
        return true;
    }
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status < 200) {
        return true;
    }
    head_.status = static_cast<int>(status);
    head_given_ = true;
    return sink_.on_head(head_);
}

std::size_t CurlExchange::on_body(char* data, std::size_t, std::size_t count, void* self) {
    switch (static_cast<CurlExchange*>(self)->sink_.on_body({data, count})) {
        case HttpSink::Take::taken:
            return count;
        case HttpSink::Take::later:
            return CURL_WRITEFUNC_PAUSE;
        case HttpSink::Take::stop:
            break;
    }
    return count + 1;
}

std::size_t CurlExchange::on_read(char* data, std::size_t one, std::size_t count, void* self) {
    auto& exchange = *static_cast<CurlExchange*>(self);
    const std::uint64_t left = exchange.body_.bytes - exchange.sent_;
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(left, one * count));
    if (bytes == 0) {
        return 0;
    }
    if (!sys::read_at(
            *exchange.body_.file, {data, bytes}, exchange.body_.offset + exchange.sent_)) {
        return CURL_READFUNC_ABORT;  // the file became shorter: nobody may have touched it
    }
    exchange.sent_ += bytes;
    exchange.sink_.on_sent(bytes);
    return bytes;
}

/// libcurl would send a body again when a kept connection breaks: what the server has of it is then
/// there twice. Only the one who sends knows where to go on.
int CurlExchange::on_seek(void* self, curl_off_t offset, int origin) {
    const auto& exchange = *static_cast<CurlExchange*>(self);
    return origin == SEEK_SET && offset == 0 && exchange.sent_ == 0 ? CURL_SEEKFUNC_OK
                                                                    : CURL_SEEKFUNC_FAIL;
}

class CurlClient final : public HttpClient {
public:
    explicit CurlClient(Multi multi) : multi_(std::move(multi)) {}

    Result<std::unique_ptr<HttpExchange>> start(const HttpRequest& request,
                                                HttpSink& sink) override {
        Easy easy(curl_easy_init());
        if (!easy) {
            return fail(Errc::internal, "libcurl: no handle");
        }
        auto exchange = std::make_unique<CurlExchange>(multi_.get(), std::move(easy), sink);
        KNARR_TRY(exchange->begin(request), "request to {}", request.url.host);
        return std::unique_ptr<HttpExchange>(std::move(exchange));
    }

    Result<> run() override {
        int running = 0;
        if (const CURLMcode code = curl_multi_perform(multi_.get(), &running); code != CURLM_OK) {
            return fail(Errc::internal, "libcurl: {}", curl_multi_strerror(code));
        }
        int left = 0;
        while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
            if (message->msg != CURLMSG_DONE) {
                continue;
            }
            char* self = nullptr;
            const CURLcode code = message->data.result;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &self);
            // The sink may destroy the exchange here: `message` is not touched after this.
            reinterpret_cast<CurlExchange*>(self)->finish(code);
        }
        return {};
    }

    Result<> wait(std::span<sys::Ready> items, std::chrono::milliseconds timeout) override {
        std::vector<curl_waitfd> extra;
        for (const sys::Ready& item : items) {
            extra.push_back(
                {.fd = item.fd,
                 .events = static_cast<short>(item.to_write ? CURL_WAIT_POLLOUT : CURL_WAIT_POLLIN),
                 .revents = 0});
        }
        const CURLMcode code = curl_multi_poll(multi_.get(),
                                               extra.data(),
                                               static_cast<unsigned>(extra.size()),
                                               static_cast<int>(timeout.count()),
                                               nullptr);
        if (code != CURLM_OK) {
            return fail(Errc::internal, "libcurl: {}", curl_multi_strerror(code));
        }
        // curl does not report hang-ups of extra descriptors: the callers try them all instead.
        for (sys::Ready& item : items) {
            item.is_ready = true;
        }
        return {};
    }

private:
    Multi multi_;
};

}  // namespace

std::string_view HttpHead::field(std::string_view name) const {
    for (const auto& [field_name, value] : fields) {
        if (field_name == name) {
            return value;
        }
    }
    return {};
}

Result<std::string> trusted_authorities(const std::string& extra_ca_pem) {
    std::string file = sys::environment("SSL_CERT_FILE");
    if (extra_ca_pem.empty() && file.empty()) {
        return std::string();
    }
    if (file.empty()) {
        file = kSystemTrust;
    }
    auto system = sys::read_file(file, kMaxTrustStoreBytes);
    if (!system && system.error().sys_errno != ENOENT) {
        return fail(std::move(system).error().within("read the trusted certificates"));
    }
    return (system ? *system + "\n" : std::string()) + extra_ca_pem;
}

Result<std::unique_ptr<HttpClient>> HttpClient::create() {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return fail(Errc::internal, "libcurl does not start");
    }
    Multi multi(curl_multi_init());
    if (!multi) {
        return fail(Errc::internal, "libcurl: no multi handle");
    }
    return std::unique_ptr<HttpClient>(std::make_unique<CurlClient>(std::move(multi)));
}

}  // namespace knarr::registry
