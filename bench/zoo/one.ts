/** Builds statements on one model, one after another, and prints a line of JSON for each. Run by `table.ts`, one process a model. */
import { performance } from 'node:perf_hooks';
import { loadStructure } from '../../src/backends/onnx/load.ts';
import { compile } from '../../src/compile.ts';
import { Fault } from '../../src/diagnostic.ts';

const [model = '', ...statements] = process.argv.slice(2);

/** Names of the outputs as a recipe lists them. */
function outputsOf(path: string): string {
	const { model: loaded, file } = loadStructure(path);
	file.close();
	return loaded.graph.outputs.map(({ name }) => JSON.stringify(name)).join(', ');
}

type Outcome = Readonly<Record<string, unknown>>;

async function outcome(recipe: string): Promise<Outcome> {
	try {
		const { ok, steps, proof, diagnostics } = await compile({ recipe, model, samples: 4 });
		// Where a statement is several steps, the last is what it asks for.
		const step = steps.at(-1);
		return {
			ok,
			selected: step?.selected,
			of: step?.of,
			params: step?.params,
			macs: step?.macs,
			...(proof && { proven: proof.ok, weak: proof.weak, weights: proof.weights, error: proof.maxRel }),
			diagnostics: diagnostics.map(({ code, message }) => `${code}: ${message}`),
		};
	} catch (problem) {
		const text = problem instanceof Fault ? problem.message : ((problem as Error).stack ?? String(problem));
		return { ok: false, crash: text };
	}
}

for (const statement of statements) {
	const start = performance.now();
	const result = await outcome(statement.replace('$outputs', () => outputsOf(model)));
	const seconds = (performance.now() - start) / 1000;
	process.stdout.write(`${JSON.stringify({ statement, ...result, seconds })}\n`);
}
