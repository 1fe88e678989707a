#include "image/import_change.h"

#include <gtest/gtest.h>

namespace knarr::image {
namespace {

spec::ImageRunConfig changed(std::initializer_list<std::string_view> changes) {
    spec::ImageRunConfig config;
    for (const std::string_view change : changes) {
        const auto applied = apply_change(change, config);
        EXPECT_TRUE(applied) << change;
    }
    return config;
}

std::string refusal(std::string_view change) {
    spec::ImageRunConfig config;
    const auto applied = apply_change(change, config);
    EXPECT_FALSE(applied) << change;
    EXPECT_EQ(applied.error().code, Errc::invalid_argument) << change;
    return applied.error().message;
}

using Words = std::vector<std::string>;

TEST(ImportChange, TakesCommandsAsAListAndForTheShell) {
    const auto config = changed({R"(CMD ["a", "b c"])", "entrypoint echo $HOME"});
    EXPECT_EQ(config.cmd, (Words{"a", "b c"}));
    EXPECT_EQ(config.entrypoint, (Words{"/bin/sh", "-c", "echo $HOME"}));
    EXPECT_EQ(changed({"CMD=/bin/true"}).cmd, (Words{"/bin/sh", "-c", "/bin/true"}));
}

TEST(ImportChange, ALaterVariableOrLabelReplacesAnEarlierOne) {
    const auto config = changed(
        {"ENV A=1", "ENV B two words", R"(ENV A="3 = three")", "LABEL who=me", "LABEL who=you"});
    EXPECT_EQ(config.env, (Words{"B=two words", "A=3 = three"}));
    EXPECT_EQ(config.labels.at("who"), "you");
}

TEST(ImportChange, OneLineMakesSeveralSettings) {
    const auto config = changed({R"(ENV A=1 B="x y" C='$z' D=a\ b E=)", R"(LABEL a=b c="d e")"});
    EXPECT_EQ(config.env, (Words{"A=1", "B=x y", "C=$z", "D=a b", "E="}));
    EXPECT_EQ(config.labels.at("a"), "b");
    EXPECT_EQ(config.labels.at("c"), "d e");
    EXPECT_NE(refusal("ENV A=1 B").find("NAME=VALUE"), std::string::npos);
}

TEST(ImportChange, KeepsPortsAndVolumesSortedAndOnce) {
    const auto config =
        changed({"EXPOSE 80 53/udp", "EXPOSE 80/tcp", "VOLUME /b /a", R"(VOLUME ["/b"])"});
    EXPECT_EQ(config.exposed_ports, (Words{"53/udp", "80/tcp"}));
    EXPECT_EQ(config.volumes, (Words{"/a", "/b"}));
}

TEST(ImportChange, TakesWhoWhereAndHowItEnds) {
    const auto config = changed({"USER web:web", "WORKDIR /srv", "STOPSIGNAL SIGQUIT"});
    EXPECT_EQ(config.user, "web:web");
    EXPECT_EQ(config.working_dir, "/srv");
    EXPECT_EQ(config.stop_signal, "SIGQUIT");
}

TEST(ImportChange, RefusesWhatItDoesNotUnderstandAndSaysWhy) {
    EXPECT_NE(refusal("RUN make").find("none of CMD, ENTRYPOINT"), std::string::npos);
    EXPECT_NE(refusal("CMD").find("missing"), std::string::npos);
    EXPECT_NE(refusal("CMD [1]").find("CMD"), std::string::npos);
    EXPECT_NE(refusal("CMD [\"a\"").find("CMD"), std::string::npos);
    EXPECT_NE(refusal("ENV =x").find("NAME=VALUE"), std::string::npos);
    EXPECT_NE(refusal("ENV A").find("NAME=VALUE"), std::string::npos);
    EXPECT_NE(refusal("EXPOSE 0").find("PORT"), std::string::npos);
    EXPECT_NE(refusal("EXPOSE 80/icmp").find("PORT"), std::string::npos);
    EXPECT_NE(refusal("VOLUME data").find("not absolute"), std::string::npos);
    EXPECT_NE(refusal("WORKDIR srv").find("not absolute"), std::string::npos);
    EXPECT_NE(refusal("STOPSIGNAL LOUD").find("STOPSIGNAL"), std::string::npos);
    EXPECT_FALSE(refusal("").empty());
}

}  // namespace
}  // namespace knarr::image
