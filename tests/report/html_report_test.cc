#include "sparsity/report/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "xml_checker.h"

namespace sparsify {
namespace {

using ::testing::HasSubstr;

Report FullReport(const std::string& text) {
  Report report{text, text, {}};
  ReportSection section{text, text + "\n\nsecond\nparagraph", {}, {}, text};
  section.plots.push_back(
      {text, text, text, {{text, {{0, 1}, {1, 2}}}, {"b", {{0, 2}}}}, false, {}});
  section.plots.push_back({text, text, text, {{text, {{0, 1}}}}, true, {text}});
  section.tables.emplace_back(text, CsvTable{{"name", "value"}, {{text, "1"}, {"b", "22.5"}}});
  report.sections = {
      section, {"Two", "", {}, {}, ""}, {"", "", {}, {}, ""}, {"Four", "", {}, {}, ""}};
  return report;
}

TEST(HtmlReport, HoldsEverythingItWasGiven) {
  const auto elements = ParseXml(RenderHtml(FullReport("Some text")));
  EXPECT_EQ(elements[0].name, "html");
  EXPECT_EQ(CountElements(elements, "h1"), 1);
  EXPECT_EQ(CountElements(elements, "h2"), 3);
  EXPECT_EQ(CountElements(elements, "section"), 4);
  EXPECT_EQ(CountElements(elements, "svg"), 2);
  EXPECT_EQ(CountElements(elements, "tr"), 3);
  EXPECT_EQ(CountElements(elements, "pre"), 1);
  EXPECT_EQ(CountElements(elements, "a"), 3);
  int numbers = 0;
  for (const XmlElement& element : elements) {
    if (element.name != "td") continue;
    const bool right = element.attributes.contains("class");
    EXPECT_EQ(right, element.text == "1" || element.text == "22.5") << element.text;
    numbers += right;
  }
  EXPECT_EQ(numbers, 2);
}

TEST(HtmlReport, LinksLeadToSectionsOfThePage) {
  const auto elements = ParseXml(RenderHtml(FullReport("x")));
  std::vector<std::string> ids;
  for (const XmlElement& element : elements) {
    if (element.attributes.contains("id")) ids.push_back("#" + element.attributes.at("id"));
  }
  for (const XmlElement& element : elements) {
    if (element.name == "a") {
      EXPECT_THAT(ids, ::testing::Contains(element.attributes.at("href")));
    }
  }
}

TEST(HtmlReport, IsSelfContained) {
  const std::string html = RenderHtml(FullReport("x"));
  const auto elements = ParseXml(html);
  for (const char* name : {"script", "link", "img", "iframe", "object", "use", "image"}) {
    EXPECT_EQ(CountElements(elements, name), 0) << name;
  }
  for (const XmlElement& element : elements) {
    for (const auto& [key, value] : element.attributes) {
      EXPECT_FALSE(key.starts_with("on")) << key;
      if (key != "xmlns") {
        EXPECT_EQ(value.find("//"), std::string::npos) << key;
      }
    }
  }
  EXPECT_EQ(html.find("url("), std::string::npos);
  EXPECT_EQ(html.find("@import"), std::string::npos);
}

TEST(HtmlReport, HostileNamesStayText) {
  const std::string hostile = "\"><script>alert(1)</script><img src=x onerror='x'>&\x02\xff";
  const std::string html = RenderHtml(FullReport(hostile));
  const auto elements = ParseXml(html);
  EXPECT_EQ(CountElements(elements, "script"), 0);
  EXPECT_EQ(CountElements(elements, "img"), 0);
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  EXPECT_EQ(html.find("<script"), std::string::npos);
}

TEST(HtmlReport, AnEmptyReportIsAPage) {
  const auto elements = ParseXml(RenderHtml({}));
  EXPECT_EQ(CountElements(elements, "body"), 1);
  EXPECT_EQ(CountElements(elements, "nav"), 0);
}

// The checker itself must be able to fail.
TEST(XmlChecker, FindsDamage) {
  EXPECT_EQ(ParseXml("<a x=\"1 &lt; 2\"><b/>t &amp; u</a>").size(), 2U);
  for (const char* bad :
       {"<a>", "<a></b>", "<a><b></a></b>", "<a x=1/>", "<a>&</a>", "<a>&foo;</a>", "<a x=\"<\"/>",
        "<a/><b/>", "<a x=\"1\" x=\"2\"/>", "text", "", "<a>\x01</a>"}) {
    EXPECT_THROW(ParseXml(bad), std::runtime_error) << bad;
  }
}

}  // namespace
}  // namespace sparsify
