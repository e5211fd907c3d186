/**
 * Builds statements on one model, times both models, and prints a line of JSON for each. Run by `structures.ts`, one process a model.
 * `$outputs` stands for the names of all outputs, `$data` for a file of generated inputs.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { loadStructure } from '../../src/backends/onnx/load.ts';
import { compile } from '../../src/compile.ts';
import { generate } from '../../src/data/generate.ts';
import { Fault } from '../../src/diagnostic.ts';
import { bindShapes, samples } from '../../src/ir/graph/bindings.ts';
import { lineOf } from '../nested.ts';

const [path = '', ...statements] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'prunec-zoo-'));
process.on('exit', () => {
	rmSync(folder, { recursive: true });
});

const { model, file } = loadStructure(path);
file.close();
const outputs = model.graph.outputs.map(({ name }) => JSON.stringify(name)).join(', ');

/** A row of named arrays a sample. */
function generated(): string {
	const at = join(folder, 'generated.jsonl');
	const shapes = bindShapes(model, { ...samples[0], batch: 1 });
	const rows = Array.from({ length: 6 }, (_, seed) => lineOf(generate(model, shapes, seed + 1)));
	writeFileSync(at, rows.join(''));
	return at;
}

type Outcome = Readonly<Record<string, unknown>>;

async function outcome(recipe: string): Promise<Outcome> {
	const out = join(folder, 'out.onnx');
	const document = await compile({ recipe, model: path, samples: 2, out, force: true, bench: true });
	const { ok, steps, proof, drift, latency, diagnostics } = document;
	// Where a statement is several steps, the last is what it asks for.
	const step = steps.at(-1);
	return {
		ok,
		...(step && { selected: step.selected, of: step.of, unit: step.unit, exact: step.exact === true }),
		...(document.output && { bytes: [document.model?.bytes, document.output.bytes] }),
		...(document.output && { params: [document.model?.params, document.output.params] }),
		...(proof && { proven: proof.ok, weak: proof.weak, difference: proof.maxRel }),
		...(drift && { cosine: drift.cosine }),
		...(latency && { time: latency.ratio, ms: latency.beforeMs }),
		...(document.model?.sha256 !== undefined && { sha256: document.model.sha256 }),
		diagnostics: diagnostics.map(({ code, message }) => `${code}: ${message}`),
	};
}

async function tried(recipe: string): Promise<Outcome> {
	try {
		return await outcome(recipe.replace('$outputs', () => outputs).replace('$data', generated));
	} catch (problem) {
		const crash = problem instanceof Fault ? problem.message : ((problem as Error).stack ?? String(problem));
		return { ok: false, crash };
	}
}

for (const statement of statements) {
	const start = performance.now();
	const result = await tried(statement);
	const seconds = (performance.now() - start) / 1000;
	process.stdout.write(`${JSON.stringify({ statement, ...result, seconds })}\n`);
}
