#!/usr/bin/env python3
"""Tests of what compare.py relies on; needs numpy and onnx only: python3 test_peers.py"""

import os
import pathlib
import sys
import tempfile
import unittest

import numpy as np
from onnx import TensorProto, helper, load, numpy_helper, save

import sparse_model
import tables
from engine_process import EngineError, EngineProcess

# Answers like a worker; "die" kills it and "hang" leaves a command unanswered.
FAKE = """
import sys
print("ready\\t1.2\\tfake", flush=True)
for line in sys.stdin:
    word, _, argument = line.strip().partition(" ")
    if word == "run": print("times", *range(int(argument)), flush=True)
    elif word == "die": sys.exit("it broke")
    elif word == "refuse": print("error\\tno such thing", flush=True)
"""


def start(script, timeout=20):
    cores = os.sched_getaffinity(0)
    return EngineProcess([sys.executable, "-c", script], cores, {}, timeout)


def tiny_network(path, batch="N"):
    rng = np.random.default_rng(1)
    weights = {
        "conv": rng.standard_normal((4, 3, 3, 3)),
        "depthwise": rng.standard_normal((4, 1, 3, 3)),
        "fc": rng.standard_normal((5, 4)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "conv"], ["a"], kernel_shape=[3, 3]),
        helper.make_node("Conv", ["a", "depthwise"], ["b"], kernel_shape=[3, 3], group=4),
        helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("Gemm", ["d", "fc"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 5])],
        [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), path)


class SparseModelTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.source = os.path.join(self.folder.name, "dense.onnx")
        self.target = os.path.join(self.folder.name, "sparse.onnx")

    def constants(self, path):
        return {t.name: numpy_helper.to_array(t) for t in load(path).graph.initializer}

    def test_zeroes_the_smallest_of_each_layer(self):
        tiny_network(self.source)
        share, shape = sparse_model.write(self.source, 0.75, 2, self.target)
        before, after = self.constants(self.source), self.constants(self.target)
        self.assertEqual(shape, [2, 3, 8, 8])
        self.assertAlmostEqual(share, (81 + 15) / (108 + 20))
        for name, zeros in (("conv", 81), ("fc", 15)):
            kept = after[name] != 0
            self.assertEqual((~kept).sum(), zeros)
            np.testing.assert_array_equal(after[name][kept], before[name][kept])
            self.assertLess(np.abs(before[name][~kept]).max(), np.abs(before[name][kept]).min())
        np.testing.assert_array_equal(after["depthwise"], before["depthwise"])

    def test_sparsity_zero_changes_no_weight(self):
        tiny_network(self.source)
        self.assertEqual(sparse_model.write(self.source, 0, 1, self.target)[0], 0)
        for name, values in self.constants(self.source).items():
            np.testing.assert_array_equal(self.constants(self.target)[name], values)

    def test_refuses_another_fixed_batch(self):
        tiny_network(self.source, batch=4)
        with self.assertRaisesRegex(ValueError, "fixed to a batch of 4, 2 asked for"):
            sparse_model.write(self.source, 0.5, 2, self.target)

    def test_names_a_file_that_is_no_model(self):
        pathlib.Path(self.source).write_bytes(b"\xff\xff\xff no model")
        with self.assertRaisesRegex(ValueError, "dense.onnx: "):
            sparse_model.write(self.source, 0.5, 2, self.target)


class EngineProcessTest(unittest.TestCase):
    def state(self, engine):
        stat = pathlib.Path(f"/proc/{engine.process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0]

    def test_drops_the_first_time_and_stops_between_turns(self):
        engine = start(FAKE)
        self.addCleanup(engine.close)
        self.assertEqual((engine.version, engine.how), ("1.2", "fake"))
        for _ in range(2):
            self.assertEqual(engine.run(3), [1, 2, 3])
            os.waitid(os.P_PID, engine.process.pid, os.WSTOPPED | os.WNOWAIT)
            self.assertEqual(self.state(engine), "T")

    def test_says_how_an_engine_ended(self):
        engine = start(FAKE)
        self.addCleanup(engine.close)
        with self.assertRaisesRegex(EngineError, "ended with status 1: it broke"):
            engine.ask("die")
        with self.assertRaisesRegex(EngineError, "ended with status 1"):
            engine.run(1)

    def test_passes_on_an_error(self):
        engine = start(FAKE)
        self.addCleanup(engine.close)
        with self.assertRaisesRegex(EngineError, "^no such thing$"):
            engine.ask("refuse")

    def test_does_not_wait_for_ever(self):
        engine = start(FAKE, timeout=3)
        self.addCleanup(engine.close)
        with self.assertRaisesRegex(EngineError, "no answer within 3 s"):
            engine.ask("hang")

    def test_an_interpreter_that_is_not_there(self):
        with self.assertRaisesRegex(EngineError, "^nothing cannot be started: No such file"):
            EngineProcess(["/no/such/nothing"], os.sched_getaffinity(0), {}, 5)


def rows():
    case = {"network": "net", "asked": 0.5, "sparsity": 50.0, "batch": 8, "reference": "A"}
    found = [
        tables.Row(engine="A", version="1", min_ms=8, median_ms=12, **case),
        tables.Row(engine="B", version="2", min_ms=9, median_ms=10, **case),
        tables.Row(engine="S", version="3", kind="sparse", min_ms=3, median_ms=4, **case),
        tables.Row(engine="C", left_out="not installed", **case),
    ]
    tables.mark_baseline(found)
    return found


class TablesTest(unittest.TestCase):
    def test_baseline_is_the_dense_engine_with_the_least_median(self):
        a, b, s, c = rows()
        self.assertEqual([r.baseline for r in (a, b, s, c)], [0, 1, 0, 0])
        self.assertAlmostEqual(s.speedup_median, 10 / 4)
        self.assertAlmostEqual(s.speedup_min, 9 / 3)
        self.assertAlmostEqual(a.speedup_median, 10 / 12)

    def test_no_speedups_without_a_dense_engine(self):
        found = rows()[2:]
        for row in found:
            row.speedup_median = row.speedup_min = 0
        tables.mark_baseline(found)
        self.assertIn("| – | – |", "\n".join(tables.full_table(found)))

    def test_summary_compares_the_sparse_engines(self):
        found = rows()
        other = tables.Row(engine="T", kind="sparse", min_ms=1, median_ms=2, asked=0.5,
                           network="net", sparsity=50.0, batch=8)
        tables.mark_baseline(found + [other])
        text = tables.summary_table(found + [other])
        self.assertIn("fastest dense | S | T | T over S | T over dense without Winograd |",
                      text[0])
        self.assertEqual(text[2], "| 50 | 8 | 1 | B, 10.00 ms | 2.500 | 5.000 | 2.000 | "
                                  "5.000 (B, 10.00 ms) |")
        other.left_out = "why"
        self.assertIn("| 2.500 | – | – | – |", tables.summary_table(found + [other])[2])

    def test_summary_says_the_gain_over_the_fastest_direct_dense(self):
        found = rows()
        found[1].engine = "own, Winograd"
        text = tables.summary_table(found)
        self.assertEqual(text[2], "| 50 | 8 | 1 | own, Winograd, 10.00 ms | 2.500 | "
                                  "3.000 (A, 12.00 ms) |")

    def test_an_earlier_run_gives_the_same_tables(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "peers.csv")
            tables.write_csv(rows(), path)
            self.assertEqual(tables.section(tables.read_csv(path)), tables.section(rows()))

    def test_update_replaces_only_its_section(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "performance.md")
            path.write_text("# P\n\nbefore\n\n## Beside other engines\n\nold\n\n## After\n\nkept\n")
            tables.update(path, rows())
            once = path.read_text()
            tables.update(path, rows())
            self.assertEqual(path.read_text(), once)
            self.assertTrue(once.startswith("# P\n\nbefore\n\n## Beside other engines\n\n`bench"))
            self.assertTrue(once.endswith("\n\n## After\n\nkept\n"))
            self.assertNotIn("old", once)
            self.assertIn("* Left out: C (everywhere): not installed.", once)
            self.assertIn("| 50 | 8 | 1 | **B** (baseline) | 2 | f32 | 9.000 | 10.000 | 1.0", once)

    def test_a_disturbed_run_says_so(self):
        found = rows()
        self.assertNotIn("disturbed", tables.disturbance(found))
        found[1].others_percent = 30.0
        self.assertIn("30.0 % of a processor", tables.disturbance(found))
        self.assertIn("**the figures are disturbed**", tables.disturbance(found))


if __name__ == "__main__":
    unittest.main()
