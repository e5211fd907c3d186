/**
 * `unroll loops; prune channels 50%` on one exported model: built with its proof and timed beside the original. A line of JSON after every stage with all that is known, so that a run that is stopped still says
 * how far it came. Run by `torchvision.ts`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { timeModels } from '../../src/backends/ort/latency.ts';
import { compile } from '../../src/compile.ts';
import { type BuildDocument } from '../../src/document.ts';
import { processorSeconds } from '../harness.ts';

const [model = ''] = process.argv.slice(2);
/** Loops that a TorchScript export leaves (MViT's) are unrolled first; other models have none. */
const recipe = 'unroll loops; prune channels 50%';
const folder = mkdtempSync(join(tmpdir(), 'prunec-bench-'));
const out = join(folder, 'small.onnx');
/** Runs of each model in turns, and what they may take together, in milliseconds. */
const runs = { most: 15, least: 3, ms: 6_000 };

let told: Readonly<Record<string, unknown>> = {};
function tell(more: Readonly<Record<string, unknown>>): void {
	told = { ...told, ...more };
	process.stdout.write(`${JSON.stringify(told)}\n`);
}

/** The result, and the processor time that it took, in seconds. */
async function timed<T>(work: () => Promise<T>): Promise<readonly [result: T, seconds: number]> {
	const start = processorSeconds();
	const result = await work();
	return [result, processorSeconds() - start];
}

function summary({ ok, steps, proof, diagnostics }: BuildDocument): Readonly<Record<string, unknown>> {
	const step = steps.at(-1);
	const error = diagnostics.find(({ severity }) => severity === 'error');
	return {
		ok,
		...(step && { selected: step.selected, of: step.of, params: step.params, macs: step.macs }),
		...(proof && { proven: proof.ok, weak: proof.weak, error: proof.maxRel }),
		...(error && { refused: `${error.code}: ${error.message}` }),
	};
}

/** Milliseconds of both models on one thread. */
async function latency(): Promise<Readonly<Record<string, unknown>>> {
	const models = [loadModel(model), loadModel(out)].map((loaded) => loaded.model);
	const [first] = await timeModels(models, new Map(), 1, 1);
	const fitting = Math.floor(runs.ms / (2 * (first?.medianMs ?? 1)));
	const count = Math.max(runs.least, Math.min(runs.most, fitting));
	const [before, after] = await timeModels(models, new Map(), 1, count);
	return { before: before?.medianMs, after: after?.medianMs, ratio: after?.ratio, runs: count };
}

try {
	const [built, provenSeconds] = await timed(() => compile({ recipe, model, samples: 2, out, force: true }));
	tell({ ...summary(built), provenSeconds });
	if (built.ok) tell(await latency());
} finally {
	rmSync(folder, { recursive: true });
}
