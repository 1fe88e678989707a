#include "registry/endpoint.h"

#include <gtest/gtest.h>

namespace knarr::registry {
namespace {

TEST(Endpoint, PathsHoldTheRepositoryAndTheNameForMirrors) {
    Endpoint plain({.registry = "r.io", .repository = "a/b"}, registry_url("r.io", false).value());
    EXPECT_EQ(plain.path("tags/list"), "/v2/a/b/tags/list");
    Endpoint mirror({.registry = "m.io", .repository = "a/b", .api = "/x/v2", .ns = "r.io:5000"},
                    registry_url("m.io", false).value());
    EXPECT_EQ(mirror.path("blobs/sha256:1"), "/x/v2/a/b/blobs/sha256:1?ns=r.io%3A5000");
}

class TurnsOfThree : public testing::Test {
protected:
    TurnsOfThree() {
        add({.registry = "a.io", .digests_only = true, .is_mirror = true});
        add({.registry = "b.io", .is_mirror = true});
        add({.registry = "r.io"});
    }
    void add(rpc::Session session) {
        Url url = registry_url(session.registry, false).value();
        endpoints_.push_back(std::make_unique<Endpoint>(std::move(session), std::move(url)));
    }
    /// Whose turn it was, one after the other.
    static std::string order(Turns& turns, std::size_t preferred) {
        std::string all;
        turns.begin(preferred);
        do {
            all += turns.current().place.registry + " ";
        } while (turns.move_on());
        return all;
    }
    std::string order(std::size_t preferred) { return order(turns_, preferred); }

    Endpoints endpoints_;
    Turns turns_{endpoints_, [](const Endpoint&) { return true; }};
};

TEST_F(TurnsOfThree, GoInOrderAndTheRegistryIsTheLast) {
    EXPECT_EQ(order(0), "a.io b.io r.io ");
    EXPECT_FALSE(turns_.has_next());
}

TEST_F(TurnsOfThree, BeginWhereSomethingWasFound) {
    EXPECT_EQ(order(1), "b.io a.io r.io ");
    turns_.begin(1);
    EXPECT_FALSE(turns_.skipped_none()) << "the first was not asked";
    endpoints_[0]->is_dead = true;
    EXPECT_TRUE(turns_.skipped_none());
}

TEST_F(TurnsOfThree, LeaveOutWhatDoesNotSuitAndDeadMirrors) {
    Turns turns(endpoints_, [](const Endpoint& one) { return !one.place.digests_only; });
    EXPECT_EQ(order(turns, 0), "b.io r.io ");
    endpoints_[1]->is_dead = true;
    endpoints_[2]->is_dead = true;
    EXPECT_EQ(order(turns, 1), "r.io ") << "a registry's own error is told";
}

TEST_F(TurnsOfThree, NoEncryptionOnlyWhereNobodySpeaksTls) {
    add({.registry = "r.io", .plain_http = true, .only_if_dead = true});
    EXPECT_EQ(order(2), "r.io a.io b.io ");
    endpoints_[2]->is_dead = true;
    EXPECT_EQ(order(2), "a.io b.io r.io ") << "it may have refused our certificate";
    endpoints_[2]->speaks_no_tls = true;
    EXPECT_EQ(order(2), "a.io b.io r.io r.io ");
}

}  // namespace
}  // namespace knarr::registry
