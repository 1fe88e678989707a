#include "cli/json_template.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

constexpr std::string_view kDocument =
    R"({"Id":"a<b","State":{"Pid":7,"Running":true,"Error":""},"Args":["x","y"],)"
    R"("Labels":{"k":"v"},"None":null,"Big":18446744073709551615})";

std::string rendered(std::string_view text) {
    const auto out = render_template(text, kDocument);
    return out ? *out : std::string("! ") + out.error().message;
}

TEST(JsonTemplate, PicksMembersAsGoPrintsThem) {
    EXPECT_EQ(rendered("{{.Id}}"), "a<b");
    EXPECT_EQ(rendered("{{ .State.Pid }} {{.State.Running}}!"), "7 true!");
    EXPECT_EQ(rendered("[{{.State.Error}}]"), "[]");
    EXPECT_EQ(rendered("{{.Args}} {{.Labels}} {{.None}}"), "[x y] map[k:v] <no value>");
    EXPECT_EQ(rendered("{{.Big}}"), "18446744073709551615");
    EXPECT_EQ(rendered("no template"), "no template");
}

TEST(JsonTemplate, PrintsJsonWhereAsked) {
    EXPECT_EQ(rendered("{{json .State}}"), R"({"Pid":7,"Running":true,"Error":""})");
    EXPECT_EQ(rendered("{{json .Id}}"), R"("a<b")");
    EXPECT_EQ(rendered("{{json .}}"), kDocument);
}

TEST(JsonTemplate, RefusesTheRestByName) {
    EXPECT_TRUE(rendered("{{.Sate.Pid}}").starts_with("! ")) << rendered("{{.Sate.Pid}}");
    EXPECT_NE(rendered("{{.State.Pit}}").find("no member Pit in .State.Pit"), std::string::npos);
    EXPECT_NE(rendered("{{.Id.x}}").find("no member x"), std::string::npos);
    EXPECT_NE(rendered("{{range .Args}}x{{end}}").find("is not built"), std::string::npos);
    EXPECT_NE(rendered("{{.Id | upper}}").find("is not built"), std::string::npos);
    EXPECT_NE(rendered("{{.Id").find("has no }}"), std::string::npos);
}

}  // namespace
}  // namespace knarr::cli
