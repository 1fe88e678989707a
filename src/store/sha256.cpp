#include "store/sha256.h"

#define OPENSSL_SUPPRESS_DEPRECATED  // the low-level functions: see the header
#include <new>

#include <openssl/sha.h>

namespace knarr::store {

namespace {
SHA256_CTX* context(std::array<unsigned char, 128>& state) {
    return std::launder(reinterpret_cast<SHA256_CTX*>(state.data()));
}
}  // namespace

Sha256::Sha256() {
    static_assert(sizeof(SHA256_CTX) <= sizeof state_);
    SHA256_Init(::new (state_.data()) SHA256_CTX);
}

void Sha256::update(std::string_view bytes) {
    SHA256_Update(context(state_), bytes.data(), bytes.size());
}

spec::Digest Sha256::finish() {
    constexpr std::string_view kHex = "0123456789abcdef";
    std::array<unsigned char, SHA256_DIGEST_LENGTH> sum{};
    SHA256_Final(sum.data(), context(state_));
    std::string hex;
    hex.reserve(64);
    for (const unsigned byte : sum) {
        hex += kHex[byte >> 4U];
        hex += kHex[byte & 15U];
    }
    return spec::Digest::of_sha256(hex);
}

spec::Digest sha256_of(std::string_view bytes) {
    Sha256 sum;
    sum.update(bytes);
    return sum.finish();
}

}  // namespace knarr::store
