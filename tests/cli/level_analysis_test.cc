#include "sparsity/cli/level_analysis.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <utility>

#include "schedulers/amba_level_prune_scheduler.h"
#include "sparsity/cli/level_tables.h"
#include "sparsity/cli/network.h"
#include "tests/cli/pipeline_fixture.h"

namespace sparsify {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<double> Squares(const Tensor& weight) {
  std::vector<double> squares;
  for (const float w : weight.values()) squares.push_back(static_cast<double>(w) * w);
  std::sort(squares.begin(), squares.end());
  return squares;
}

// By definition: the share of smallest weights whose squares sum to at most `energy` percent.
double NaivePercent(const Tensor& weight, double energy) {
  const std::vector<double> squares = Squares(weight);
  double total = 0;
  for (const double s : squares) total += s;
  double sum = 0;
  double count = 0;
  for (const double s : squares) {
    sum += s;
    if (sum / total * 100 > energy) break;
    ++count;
  }
  return std::min(99.0, std::round(100 * count / static_cast<double>(squares.size())));
}

// What the smallest `percent` of the weights hold of the sum of squares, in percent.
double NaiveLost(const Tensor& weight, double percent) {
  const std::vector<double> squares = Squares(weight);
  const auto n = static_cast<double>(squares.size());
  const auto gone = static_cast<size_t>(std::ceil(n * percent / 100 - 1e-9));
  double lost = 0;
  double total = 0;
  for (size_t i = 0; i < squares.size(); ++i) {
    if (i < gone) lost += squares[i];
    total += squares[i];
  }
  return 100 * lost / total;
}

class LevelAnalysisTest : public ::testing::Test {
 protected:
  LevelAnalysisTest() : graph_(testing::SmallMobileNet()), files_{folder_.Path("a/tables")} {
    Reset();
  }

  void Reset() {
    layers_ = LayersOf(graph_);
    skipped_.assign(layers_.size(), "");
    skipped_.front() = "named in no_prune_layer";
  }

  LevelTargets Analyse(bool write = true) const {
    return AnalyseLevels(graph_, layers_, skipped_, levels_, options_, files_.folder, write);
  }

  LevelTargets Allocated() const {
    LevelTargets targets;
    for (const double level : levels_) {
      targets.push_back(Allocate(graph_, layers_, skipped_, level / 100, AllocationOf(options_)));
    }
    return targets;
  }

  const Tensor& weight(const std::string& layer) const {
    const auto i = static_cast<size_t>(FindLayer(layers_, layer));
    return graph_.value(layers_[i].weight).data;
  }

  static void ExpectEqual(const LevelTargets& a, const LevelTargets& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t k = 0; k < a.size(); ++k) {
      ASSERT_EQ(a[k].size(), b[k].size());
      for (size_t i = 0; i < a[k].size(); ++i) {
        EXPECT_EQ(a[k][i].sparsity, b[k][i].sparsity) << k << " " << i;
        EXPECT_EQ(a[k][i].skipped, b[k][i].skipped);
      }
    }
  }

  // Changes cells of a table's file.
  static void Edit(const std::string& path, const std::function<void(CsvTable&)>& change) {
    CsvTable table = ReadCsv(path);
    change(table);
    WriteCsv(table, path);
  }

  static void SetCell(CsvTable& table, const std::string& level, const std::string& layer,
                      const std::string& column, const std::string& cell) {
    for (auto& row : table.rows) {
      if (row[table.Column("level")] != level || row[table.Column("layer")] != layer) continue;
      row[table.Column(column)] = cell;
    }
  }

  std::string FileText(const std::string& path) const { return ReadFile(path, 1 << 22); }

  // What is said meanwhile.
  std::vector<std::string> LinesOf(const std::function<void()>& body) const {
    const LogCapture log;
    body();
    return log.lines();
  }

  // What is there now is a fresh analysis, and said to be one.
  void ExpectAnew(const std::vector<std::string>& lines, const LevelTargets& targets) const {
    EXPECT_THAT(lines, Contains(HasSubstr("is in level_search.csv, level_steps.csv and")));
    ExpectEqual(targets, Allocated());
    LevelTables tables;
    SearchLevels({graph_, layers_, skipped_, levels_, options_}, tables);
    EXPECT_EQ(FileText(files_.Search()), FormatCsv(tables.search));
    EXPECT_EQ(FileText(files_.Steps()), FormatCsv(tables.steps));
    EXPECT_EQ(FileText(files_.Layers()), FormatCsv(tables.layers));
  }

  const TestFolder folder_;
  Graph graph_;
  std::vector<Layer> layers_;
  std::vector<std::string> skipped_;
  std::vector<double> levels_ = {30, 62.5, 90};
  AmbaLevelPruneOptions options_;
  LevelFiles files_;
};

TEST_F(LevelAnalysisTest, TargetsAreThoseOfTheAllocation) {
  options_.do_sparse_analysis = true;
  const LogCapture log;
  for (const int64_t algorithm : {0, 1}) {
    for (const double tuning : {0.0, 0.5, 2.0}) {
      for (const double tolerance : {0.003, 0.015, 0.05}) {
        options_.prun_algo = algorithm;
        options_.prun_algo_tuning = tuning;
        options_.sparse_rate_tolerance = tolerance;
        ExpectEqual(Analyse(), Allocated());
      }
    }
  }
}

TEST_F(LevelAnalysisTest, EveryLevelsSumIsWithinTheTolerance) {
  options_.sparse_rate_tolerance = 0.01;
  const LogCapture log;
  Analyse();
  const CsvTable table = ReadCsv(files_.Layers());
  EXPECT_EQ(table.header, LayerTableColumns());
  ASSERT_EQ(table.rows.size(), levels_.size() * layers_.size());
  std::map<std::string, std::pair<double, double>> sums;
  for (const auto& row : table.rows) {
    if (!row[table.Column("skipped")].empty()) {
      EXPECT_EQ(row[table.Column("layer")], layers_.front().name);
      EXPECT_EQ(row[table.Column("sparsity_percent")], "0");
      EXPECT_EQ(row[table.Column("stride_factor")], "-");
      continue;
    }
    const double n = std::stod(row[table.Column("parameters")]);
    sums[row[0]].first += n * std::stod(row[table.Column("sparsity_percent")]);
    sums[row[0]].second += n;
  }
  ASSERT_EQ(sums.size(), levels_.size());
  for (const auto& [level, sum] : sums) {
    EXPECT_NEAR(sum.first / sum.second, std::stod(level), 1 + 1e-9);
  }
}

TEST_F(LevelAnalysisTest, TheLayersTableDescribesTheNetwork) {
  const LogCapture log;
  Analyse();
  const CsvTable table = ReadCsv(files_.Layers());
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto cell = [&](const std::string& column) {
      return table.rows[row][table.Column(column)];
    };
    const Layer& layer = layers_[row % layers_.size()];
    ASSERT_EQ(cell("layer"), layer.name);
    EXPECT_EQ(std::stod(cell("level")), levels_[row / layers_.size()]);
    EXPECT_EQ(cell("macs"), std::to_string(layer.macs));
    EXPECT_EQ(cell("parameters"), std::to_string(layer.parameters));
    const std::vector<double> squares = Squares(weight(layer.name));
    double energy = 0;
    for (const double s : squares) energy += s;
    EXPECT_NEAR(std::stod(cell("energy")), energy, 1e-10 * energy);
    EXPECT_NEAR(std::stod(cell("energy_lost_percent")),
                NaiveLost(weight(layer.name), std::stod(cell("sparsity_percent"))), 1e-9);
    EXPECT_EQ(cell("prun_algo"), "1");
    EXPECT_EQ(cell("tuning"), "0.5");
    EXPECT_EQ(cell("tolerance"), "0.015");
  }
  EXPECT_EQ(table.rows[0][table.Column("shape")], "8x3x3x3");
  EXPECT_EQ(table.rows[0][table.Column("input")], "3x16x16");
}

TEST_F(LevelAnalysisTest, EveryStepIsWhatItsEnergySays) {
  options_.sparse_rate_tolerance = 0.004;
  const LogCapture log;
  Analyse();
  const CsvTable layers = ReadCsv(files_.Layers());
  std::map<std::string, double> factor;
  std::map<std::pair<std::string, std::string>, std::string> taken;
  for (const auto& row : layers.rows) {
    if (row[1] == layers_.front().name) continue;
    factor[row[1]] = std::stod(row[layers.Column("stride_factor")]);
    taken[{row[0], row[1]}] = row[layers.Column("sparsity_percent")];
  }
  const CsvTable search = ReadCsv(files_.Search());
  const CsvTable steps = ReadCsv(files_.Steps());
  EXPECT_THAT(search.header, ElementsAre("level", "step", "energy_percent", "sparsity_percent"));
  EXPECT_THAT(steps.header, ElementsAre("level", "step", "layer", "sparsity_percent"));
  ASSERT_EQ(steps.rows.size(), search.rows.size() * factor.size());
  for (size_t i = 0; i < search.rows.size(); ++i) {
    const auto& tried = search.rows[i];
    const bool last = i + 1 == search.rows.size() || search.rows[i + 1][0] != tried[0];
    double pruned = 0;
    double total = 0;
    for (size_t j = i * factor.size(); j < (i + 1) * factor.size(); ++j) {
      const auto& step = steps.rows[j];
      ASSERT_EQ(std::make_pair(step[0], step[1]), std::make_pair(tried[0], tried[1]));
      const Tensor& w = weight(step[2]);
      const double percent = std::stod(step[3]);
      EXPECT_NEAR(percent, NaivePercent(w, std::stod(tried[2]) * factor[step[2]]), 1e-9);
      pruned += percent * static_cast<double>(w.size());
      total += static_cast<double>(w.size());
      if (last) {
        EXPECT_EQ(step[3], (taken[{step[0], step[2]}]));
      }
    }
    EXPECT_NEAR(std::stod(tried[3]), pruned / total, 1e-9);
    const bool close = std::abs(pruned / total - std::stod(tried[0])) <= 0.4;
    if (tried[1] != "0") {
      EXPECT_EQ(close, last) << tried[0] << " " << tried[1];
    }
  }
}

TEST_F(LevelAnalysisTest, TablesThatFitAreReusedAsTheyAre) {
  LevelTargets first;
  EXPECT_THAT(LinesOf([&] { first = Analyse(); }),
              ElementsAre(files_.folder + ": analysis of " + std::to_string(layers_.size()) +
                          " layers at 3 levels is in level_search.csv, level_steps.csv and "
                          "level_layers.csv"));
  std::map<std::string, fs::file_time_type> written;
  const auto before = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (const std::string& path : {files_.Search(), files_.Steps(), files_.Layers()}) {
    fs::last_write_time(path, before);
    written[path] = fs::last_write_time(path);
  }
  levels_ = {30, 90};  // fewer levels do no harm
  first.erase(first.begin() + 1);
  EXPECT_THAT(LinesOf([&] { ExpectEqual(Analyse(), first); }),
              ElementsAre(files_.folder + ": the sparsities of " + std::to_string(layers_.size()) +
                          " layers at 2 levels are taken from level_layers.csv; "
                          "do_sparse_analysis: True does the analysis anew"));
  for (const auto& [path, time] : written) EXPECT_EQ(fs::last_write_time(path), time) << path;
  EXPECT_FALSE(fs::exists(files_.Backup()));
}

TEST_F(LevelAnalysisTest, TheFirstThingThatDoesNotFitIsNamed) {
  const std::string conv = layers_[1].name;
  const auto said = [&](const std::function<void()>& change) {
    options_ = {};
    levels_ = {30, 62.5};
    graph_ = testing::SmallMobileNet();
    Reset();
    fs::remove_all(files_.folder);
    LinesOf([&] { Analyse(); });
    change();
    LevelTargets targets;
    const auto lines = LinesOf([&] { targets = Analyse(); });
    ExpectAnew(lines, targets);
    const std::string start = files_.folder + ": the tables of level pruning do not fit, ";
    const std::string end = "; the analysis is done anew";
    for (const std::string& line : lines) {
      if (!line.starts_with(start) || !line.ends_with(end)) continue;
      return line.substr(start.size(), line.size() - start.size() - end.size());
    }
    return std::string("nothing");
  };
  EXPECT_EQ(said([&] { options_.prun_algo_tuning = 1; }), "tuning was 0.5, is 1 now");
  EXPECT_EQ(said([&] { options_.sparse_rate_tolerance = 0.01; }),
            "tolerance was 0.015, is 0.01 now");
  EXPECT_EQ(said([&] { levels_ = {30, 50}; }), "level 50 % is missing");
  EXPECT_EQ(said([&] { layers_[1].name = "other"; }), "the network has no layer \"" + conv + "\"");
  EXPECT_EQ(said([&] { skipped_[1] = "depthwise (dw_no_prune)"; }),
            "layer \"" + conv + "\": skipped was \"\", is \"depthwise (dw_no_prune)\" now");
  const int64_t macs = layers_[1].macs;
  EXPECT_EQ(said([&] { layers_[1].macs = macs + 1; }),
            fmt::format("layer \"{}\": macs was \"{}\", is \"{}\" now", conv, macs, macs + 1));
  EXPECT_EQ(said([&] {
              layers_[0].input_shape = Shape{3, 32, 32};
            }),
            "layer \"" + layers_[0].name + "\": input was \"3x16x16\", is \"3x32x32\" now");
  EXPECT_EQ(said([&] {
              layers_[0].weight_shape = Shape{8, 27};
            }),
            "layer \"" + layers_[0].name + "\": shape was \"8x3x3x3\", is \"8x27\" now");
  EXPECT_EQ(said([&] { layers_[0].parameters = 215; }),
            "layer \"" + layers_[0].name + "\": parameters was \"216\", is \"215\" now");
  EXPECT_THAT(said([&] { graph_.mutable_value(layers_[1].weight).data[0] *= 1.01F; }),
              AllOf(HasSubstr("layer \"" + conv + "\": energy was "), HasSubstr(" now")));
  EXPECT_EQ(said([&] {
              layers_.push_back(layers_.back());
              layers_.back().name = "extra";
              skipped_.push_back("");
            }),
            "level 30 %: layer \"extra\" is missing");
  for (const std::string name : {"level_search.csv", "level_steps.csv", "level_layers.csv"}) {
    EXPECT_EQ(said([&] { fs::remove(files_.folder + "/" + name); }), name + " is missing");
  }
}

TEST_F(LevelAnalysisTest, AnotherAlgorithmDoesNotFit) {
  options_.prun_algo = 0;
  LinesOf([&] { Analyse(); });
  options_.prun_algo = 1;
  EXPECT_THAT(LinesOf([&] { Analyse(); }),
              Contains(HasSubstr("do not fit, level_search.csv is missing")));
  options_.prun_algo = 0;
  EXPECT_THAT(LinesOf([&] { Analyse(); }),
              AllOf(Contains(HasSubstr("do not fit, prun_algo was \"1\", is \"0\" now")),
                    Contains(files_.Search() + ": removed, it is of an earlier analysis"),
                    Contains(files_.Steps() + ": removed, it is of an earlier analysis")));
  EXPECT_FALSE(fs::exists(files_.Search()));
}

TEST_F(LevelAnalysisTest, EnergiesFitToAMillionth) {
  LevelTargets first;
  LinesOf([&] { first = Analyse(); });
  double energy = 0;
  for (const double square : Squares(weight(layers_[1].name))) energy += square;
  float& some = graph_.mutable_value(layers_[1].weight).data[0];
  const double before = some;
  some = static_cast<float>(std::sqrt(before * before + 0.8e-6 * energy));
  EXPECT_THAT(LinesOf([&] { ExpectEqual(Analyse(), first); }),
              ElementsAre(HasSubstr("are taken from level_layers.csv")));
  some = static_cast<float>(std::sqrt(before * before + 1.2e-6 * energy));
  EXPECT_THAT(LinesOf([&] { Analyse(); }), Contains(HasSubstr("\": energy was ")));
}

TEST_F(LevelAnalysisTest, DamagedTablesAreSaidAndReplaced) {
  const std::string conv = layers_[1].name;
  const auto said = [&](const std::string& path, const std::function<void(CsvTable&)>& change) {
    fs::remove_all(files_.folder);
    LinesOf([&] { Analyse(); });
    Edit(path, change);
    LevelTargets targets;
    const auto lines = LinesOf([&] { targets = Analyse(); });
    ExpectAnew(lines, targets);
    return lines.front();
  };
  const std::string end = "; the table is damaged, and the analysis is done anew";
  const auto layers = [&](const std::string& column, const std::string& cell) {
    return said(files_.Layers(), [&](CsvTable& t) { SetCell(t, "30", conv, column, cell); });
  };
  const std::string row2 = "warning: " + files_.Layers() + ": row 2: ";
  EXPECT_EQ(layers("sparsity_percent", "x"), row2 + "sparsity_percent \"x\" is no number" + end);
  EXPECT_EQ(layers("sparsity_percent", "101"),
            row2 + "sparsity_percent 101 is no percentage in 0 … 100" + end);
  EXPECT_EQ(layers("sparsity_percent", "nan"),
            row2 + "sparsity_percent \"nan\" is no number" + end);
  EXPECT_EQ(layers("level", ""), row2 + "level \"\" is no number" + end);
  EXPECT_EQ(layers("energy", "-"), row2 + "energy \"-\" is no number" + end);
  EXPECT_EQ(said(files_.Layers(), [](CsvTable& t) { t.header[7] = "power"; }),
            "warning: " + files_.Layers() + ": no column \"energy\"" + end);
  EXPECT_EQ(said(files_.Layers(), [](CsvTable& t) { t.rows.insert(t.rows.begin(), t.rows[1]); }),
            "warning: " + files_.Layers() + ": row 3: layer \"" + conv +
                "\" a second time at this level" + end);
  EXPECT_EQ(said(files_.Search(), [](CsvTable& t) { t.rows[0][2] = ""; }),
            "warning: " + files_.Search() + ": row 1: energy_percent \"\" is no number" + end);
  EXPECT_EQ(said(files_.Search(), [](CsvTable& t) { t.rows.erase(t.rows.begin()); }),
            "warning: " + files_.Search() + ": row 1: step 1, expected 0" + end);
  EXPECT_THAT(said(files_.Steps(), [](CsvTable& t) { t.rows.pop_back(); }),
              AllOf(HasSubstr(files_.Steps() + ": "), HasSubstr(" rows at level 90 %, expected ")));
  EXPECT_THAT(said(files_.Steps(), [&](CsvTable& t) { t.rows.back()[2] = conv; }),
              HasSubstr(": level 90 %: layer \"" + layers_.back().name + "\" is missing at step "));
  EXPECT_EQ(said(files_.Steps(), [](CsvTable& t) { t.rows[0][2] = "other"; }),
            "warning: " + files_.Steps() + ": row 1: the network has no layer \"other\"" + end);
}

TEST_F(LevelAnalysisTest, CutOffFilesAreReplaced) {
  for (const std::string& path : {files_.Layers(), files_.Search(), files_.Steps()}) {
    for (const size_t keep : {size_t{0}, size_t{5}, size_t{140}}) {
      LinesOf([&] { Analyse(); });
      const std::string text = FileText(path);
      WriteFileAtomically(path, text.substr(0, keep));
      LevelTargets targets;
      const auto lines = LinesOf([&] { targets = Analyse(); });
      ExpectAnew(lines, targets);
      EXPECT_THAT(lines.front(), AllOf(HasSubstr(path), HasSubstr("done anew"))) << keep;
    }
  }
}

TEST_F(LevelAnalysisTest, TheEditedTableCountsAndItsDistanceIsSaid) {
  LevelTargets first;
  LinesOf([&] { first = Analyse(); });
  const size_t edited = layers_.size() - 2;
  const std::string name = layers_[edited].name;
  const double before = 100 * first[1][edited].sparsity;
  const auto write = [&](double percent) {
    Edit(files_.Layers(), [&](CsvTable& t) {
      SetCell(t, "62.5", name, "sparsity_percent", fmt::format("{:.12g}", percent));
    });
  };
  double rest = 0;  // the weights of the other layers that go, in percent
  double total = 0;
  const auto own = static_cast<double>(layers_[edited].parameters);
  for (size_t i = 1; i < layers_.size(); ++i) {
    const auto n = static_cast<double>(layers_[i].parameters);
    if (i != edited) rest += n * 100 * first[1][i].sparsity;
    total += n;
  }
  const auto expected_line = [&](double percent) {
    const double sum = (rest + own * percent) / total;
    const bool beyond = std::abs(sum - 62.5) > 1.5;
    return fmt::format(
        "{}{}: level 62.5 %: the layers give {:.2f} %, {:.2f} points {} the level; 1 layer was "
        "edited, first \"{}\" from {:.12g} to {:.12g} %{}",
        beyond ? "warning: " : "", files_.Layers(), sum, std::abs(sum - 62.5),
        sum < 62.5 ? "below" : "above", name, before, percent,
        beyond ? ", beyond the tolerance of 1.5 points" : "");
  };
  const auto giving = [&](double sum) {
    return std::floor((sum * total - rest) / own * 100) / 100;
  };
  for (const double percent : {12.25, before + 1, giving(62.5 - 1.6), giving(62.5 - 1.4)}) {
    ASSERT_GE(percent, 0);
    write(percent);
    const std::string kept = FileText(files_.Layers());
    LevelTargets targets;
    const auto lines = LinesOf([&] { targets = Analyse(); });
    first[1][edited].sparsity = targets[1][edited].sparsity;
    EXPECT_NEAR(targets[1][edited].sparsity, percent / 100, 1e-12);
    ExpectEqual(targets, first);
    EXPECT_EQ(FileText(files_.Layers()), kept);
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0], expected_line(percent));
    EXPECT_THAT(lines[1], HasSubstr("are taken from level_layers.csv"));
  }
}

TEST_F(LevelAnalysisTest, ASkippedLayerStaysDenseWhateverTheTableSays) {
  LevelTargets first;
  LinesOf([&] { first = Analyse(); });
  const std::string name = layers_.front().name;
  Edit(files_.Layers(), [&](CsvTable& t) { SetCell(t, "30", name, "sparsity_percent", "50"); });
  const auto lines = LinesOf([&] { ExpectEqual(Analyse(), first); });
  EXPECT_EQ(lines.front(), "warning: " + files_.Layers() + ": level 30 %: layer \"" + name +
                               "\" stays dense, named in no_prune_layer; its 50 % does not count");
}

TEST_F(LevelAnalysisTest, ATableSavedByASpreadsheetIsRead) {
  LevelTargets first;
  LinesOf([&] { first = Analyse(); });
  CsvTable table = ReadCsv(files_.Layers());  // columns elsewhere, one added
  for (auto& row : table.rows) {
    std::rotate(row.begin(), row.begin() + 3, row.end());
    row.push_back("a remark, quoted");
  }
  std::rotate(table.header.begin(), table.header.begin() + 3, table.header.end());
  table.header.emplace_back("remark");
  std::string text = "\xef\xbb\xbf";
  for (const char c : FormatCsv(table)) text += c == '\n' ? std::string("\r\n") : std::string(1, c);
  WriteFileAtomically(files_.Layers(), text);
  EXPECT_THAT(LinesOf([&] { ExpectEqual(Analyse(), first); }),
              ElementsAre(HasSubstr("are taken from level_layers.csv")));
}

TEST_F(LevelAnalysisTest, TrueRedoesAndKeepsWhatWasEdited) {
  LinesOf([&] { Analyse(); });
  Edit(files_.Layers(),
       [&](CsvTable& t) { SetCell(t, "30", layers_[1].name, "sparsity_percent", "77"); });
  const std::string edited = FileText(files_.Layers());
  options_.do_sparse_analysis = true;
  LevelTargets targets;
  const auto lines = LinesOf([&] { targets = Analyse(); });
  ExpectAnew(lines, targets);
  EXPECT_EQ(lines.front(),
            files_.Layers() + ": replaced; what it was is kept as " + files_.Layers() + ".bak");
  EXPECT_EQ(FileText(files_.Backup()), edited);
  EXPECT_THAT(LinesOf([&] { Analyse(); }), Each(Not(HasSubstr(".bak"))));  // nothing is lost
}

TEST_F(LevelAnalysisTest, WithoutASearchThereIsOneTable) {
  options_.prun_algo = 0;
  const std::string first = files_.folder + ": " + std::to_string(layers_.size()) +
                            " layers at 3 levels are in level_layers.csv; prun_algo 0 gives every "
                            "layer the level without a search, so there are no level_search.csv "
                            "and level_steps.csv";
  EXPECT_THAT(LinesOf([&] { ExpectEqual(Analyse(), Allocated()); }), ElementsAre(first));
  EXPECT_FALSE(fs::exists(files_.Search()));
  EXPECT_FALSE(fs::exists(files_.Steps()));
  EXPECT_THAT(Column(files_.Layers(), "tuning"), Each(std::string("-")));
  options_.prun_algo_tuning = 3;  // no part of this
  EXPECT_THAT(LinesOf([&] { ExpectEqual(Analyse(), Allocated()); }),
              ElementsAre(HasSubstr("are taken from level_layers.csv")));
  const std::string name = layers_[1].name;
  Edit(files_.Layers(), [&](CsvTable& t) { SetCell(t, "30", name, "sparsity_percent", "31"); });
  EXPECT_THAT(LinesOf([&] { EXPECT_EQ(Analyse()[0][1].sparsity, 0.31); }),
              Contains(HasSubstr("1 layer was edited, first \"" + name + "\" from 30 to 31 %")));
}

TEST_F(LevelAnalysisTest, ADryRunReadsButWritesNothing) {
  const auto lines = LinesOf([&] { ExpectEqual(Analyse(false), Allocated()); });
  EXPECT_THAT(lines, IsEmpty());
  EXPECT_FALSE(fs::exists(files_.folder));
  LinesOf([&] { Analyse(); });
  Edit(files_.Layers(),
       [&](CsvTable& t) { SetCell(t, "30", layers_[1].name, "sparsity_percent", "77"); });
  LinesOf([&] { EXPECT_EQ(Analyse(false)[0][1].sparsity, 0.77); });
  options_.prun_algo_tuning = 1;
  const std::string edited = FileText(files_.Layers());
  LinesOf([&] { ExpectEqual(Analyse(false), Allocated()); });
  EXPECT_EQ(FileText(files_.Layers()), edited);
}

TEST_F(LevelAnalysisTest, WithoutAFolderThereAreNoTables) {
  files_.folder.clear();
  EXPECT_THAT(LinesOf([&] { ExpectEqual(Analyse(), Allocated()); }),
              ElementsAre("output_dir: empty; the tables of level pruning are not written"));
}

TEST_F(LevelAnalysisTest, ALevelOfZeroNeedsNoSearch) {
  levels_ = {0, 50};
  const LogCapture log;
  ExpectEqual(Analyse(), Allocated());
  EXPECT_THAT(Column(files_.Search(), "level"), Each(std::string("50")));
  ExpectEqual(Analyse(), Allocated());
  EXPECT_TRUE(log.Contains("2 levels are taken from level_layers.csv"));
  levels_ = {0};
  options_.do_sparse_analysis = true;
  ExpectEqual(Analyse(), Allocated());
  EXPECT_FALSE(fs::exists(files_.Search()));
}

TEST_F(LevelAnalysisTest, MistakesAreRefused) {
  const LogCapture log;
  const auto error = [&] { return ErrorOf([&] { Analyse(); }); };
  levels_ = {50, 120};
  EXPECT_EQ(error(), "allocation: sparsity 1.2 is outside 0 … 1; give a fraction, not percent");
  levels_ = {50};
  skipped_.assign(layers_.size(), "excluded");
  EXPECT_EQ(error(), "allocation: sparsity 0.5 is asked for, but no layer may be pruned");
  skipped_.pop_back();
  EXPECT_EQ(error(), fmt::format("level analysis: {} skip reasons for {} layers",
                                 layers_.size() - 1, layers_.size()));
  Reset();
  graph_.mutable_value(layers_[0].weight).data[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(error(),
            layers_[0].name + ": its weights hold a NaN or an infinity; repair the model first");
  EXPECT_FALSE(fs::exists(files_.folder));
  graph_.mutable_value(layers_[0].weight).data[3] = 1;
  WriteFileAtomically(folder_.Path("file"), "x");
  files_.folder = folder_.Path("file");
  EXPECT_THAT(error(), HasSubstr(folder_.Path("file")));
}

}  // namespace
}  // namespace sparsify
