#include "cli/json_template.h"

#include <string>

#include <fmt/format.h>
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
    EXPECT_EQ(rendered("{{.Args}} {{.Labels}} {{.None}}"), "[x y] map[k:v] <nil>");
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
    EXPECT_NE(rendered("{{template \"x\"}}").find("no template"), std::string::npos);
    EXPECT_NE(rendered("{{.Id | frob}}").find("frob is not built"), std::string::npos);
    EXPECT_NE(rendered("{{.Id").find("has no }}"), std::string::npos);
}

TEST(JsonTemplate, HasTheActionsThatScriptsUse) {
    EXPECT_EQ(rendered("{{range .Args}}<{{.}}>{{end}}"), "<x><y>");
    EXPECT_EQ(rendered("{{range $i, $x := .Args}}{{$i}}={{$x}} {{end}}"), "0=x 1=y ");
    EXPECT_EQ(rendered("{{range $k, $v := .Labels}}{{$k}}={{$v}}{{$.State.Pid}}{{end}}"), "k=v7");
    EXPECT_EQ(rendered("{{range .None}}x{{else}}none{{end}}"), "none");
    EXPECT_EQ(rendered("{{if .State.Running}}up{{else}}down{{end}}"), "up");
    EXPECT_EQ(rendered("{{if .State.Health}}{{.State.Health.Status}}{{else}}no check{{end}}"),
              "no check");
    EXPECT_EQ(rendered("{{if eq .Id \"b\"}}1{{else if eq .State.Pid 7}}2{{else}}3{{end}}"), "2");
    EXPECT_EQ(rendered("{{with .State}}{{.Pid}}{{end}}{{with .State.Error}}x{{else}}-{{end}}"),
              "7-");
    EXPECT_EQ(rendered("{{$x := .State.Pid}}{{if $x}}{{$x = 8}}{{end}}{{$x}}"), "8");
    EXPECT_EQ(rendered("a {{- .Id -}} \n b{{/* why */}}"), "aa<bb");
}

TEST(JsonTemplate, LoopsAreLeftAndGoneOn) {
    EXPECT_EQ(rendered("{{range .Args}}{{if eq . \"y\"}}{{break}}{{end}}<{{.}}>{{end}}"), "<x>");
    EXPECT_EQ(rendered("{{range .Args}}{{if eq . \"x\"}}{{continue}}{{end}}<{{.}}>{{end}}"), "<y>");
    EXPECT_TRUE(rendered("{{break}}").starts_with("! "));
    EXPECT_TRUE(rendered("{{range .None}}{{else}}{{continue}}{{end}}").starts_with("! "));
}

TEST(JsonTemplate, TemplatesHaveNames) {
    EXPECT_EQ(rendered("{{define \"p\"}}<{{.Pid}}>{{end}}{{template \"p\" .State}}"), "<7>");
    EXPECT_EQ(rendered("{{block \"p\" .State}}{{.Pid}}{{end}}{{template \"p\" .State}}"), "77");
    EXPECT_EQ(
        rendered("{{$x := 1}}{{define \"p\"}}{{with $}}{{.}}{{end}}{{end}}{{template \"p\"}}"), "");
    for (const char* wrong : {"{{define \"p\"}}{{$x}}{{end}}{{$x := 1}}{{template \"p\"}}",
                              "{{define \"p\"}}{{template \"p\"}}{{end}}{{template \"p\"}}",
                              "{{if .Id}}{{define \"p\"}}{{end}}{{end}}",
                              "{{define p}}{{end}}",
                              "{{define \"p\"}}",
                              "{{define \"p\"}}{{else}}{{end}}",
                              "{{block \"p\"}}{{end}}",
                              "{{range .Args}}{{block \"p\" .}}{{break}}{{end}}{{end}}"}) {
        EXPECT_TRUE(rendered(wrong).starts_with("! ")) << wrong << " " << rendered(wrong);
    }
}

TEST(JsonTemplate, HasBoundsThatNoTextGetsPast) {
    std::string comments, doubled = "{{define \"t0\"}}x{{end}}";
    for (int i = 0; i < 100'000; ++i) {
        comments += "{{/**/}}";
    }
    EXPECT_EQ(rendered(comments + "{{.Id}}"), "a<b");
    for (int i = 1; i < 30; ++i) {
        doubled += fmt::format(
            R"({{{{define "t{}"}}}}{{{{template "t{}"}}}}{{{{template "t{}"}}}}{{{{end}}}})",
            i,
            i - 1,
            i - 1);
    }
    EXPECT_NE(rendered(doubled + "{{template \"t29\"}}").find("without end"), std::string::npos);
}

TEST(JsonTemplate, ControlCharactersOfValuesAreForPrograms) {
    const auto shown = Template::parse("\x1b[1m{{.A}}");
    ASSERT_TRUE(shown);
    constexpr std::string_view kEvil = R"({"A":"\u001b]0;x\u0007\u009b\n\t."})";
    EXPECT_EQ(shown->render(kEvil, Controls::pass), "\x1b[1m\x1b]0;x\x07\xc2\x9b\n\t.");
    EXPECT_EQ(shown->render(kEvil, Controls::escape), "\x1b[1m\\x1b]0;x\\x07\\xc2\\x9b\n\t.");
}

TEST(JsonTemplate, HasDockersFunctions) {
    EXPECT_EQ(rendered("{{index .Labels \"k\"}}{{index .Labels \"none\"}}"), "v");
    EXPECT_EQ(rendered("{{index .Args 1}} {{(index .Args 0) | upper}} {{len .Args}}"), "y X 2");
    EXPECT_EQ(rendered("{{join .Args \", \"}}{{println .Id}}"), "x, ya<b\n");
    EXPECT_EQ(rendered("{{printf \"%s is %d|%-4s|%q\" .Id .State.Pid \"z\" \"q\"}}"),
              "a<b is 7|z   |\"q\"");
    EXPECT_EQ(rendered("{{.Id | printf \"%5s\"}} {{truncate .Id 2}} {{title \"go\"}}"),
              "  a<b a< Go");
    EXPECT_EQ(rendered("{{and .State.Running .Id}} {{or .State.Error \"ok\"}} {{not .None}}"),
              "a<b ok true");
    EXPECT_EQ(rendered("{{gt .State.Pid 10}} {{ne .Id \"x\"}} {{json (index .Args 0)}}"),
              "false true \"x\"");
}

TEST(JsonTemplate, SaysWhatIsWrong) {
    for (const char* wrong : {"{{range .Args}}",
                              "{{end}}",
                              "{{if}}x{{end}}",
                              "{{.Id}",
                              "{{\"x}}",
                              "{{$y}}",
                              "{{index .Args 9}}",
                              "{{len}}",
                              "{{printf \"%s\"}}",
                              "{{.Id .Id}}x",
                              "{{(.Id}}",
                              "{{.Id)}}",
                              "{{&}}",
                              "{{range .Id}}{{end}}",
                              "{{1.5}}",
                              "{{}}"}) {
        EXPECT_TRUE(rendered(wrong).starts_with("! ")) << wrong << " " << rendered(wrong);
    }
    std::string deep;
    for (int i = 0; i < 5000; ++i) {
        deep += "{{if .Id}}";
    }
    EXPECT_NE(rendered(deep).find("nested"), std::string::npos);
    EXPECT_NE(rendered("{{" + std::string(5000, '(') + "}}").find("nested"), std::string::npos);
}

}  // namespace
}  // namespace knarr::cli
