/** Builds one statement on one model and prints what became of it as one line of JSON. Run by `table.ts`, one process each. */
import { performance } from 'node:perf_hooks';
import { compile } from '../../src/compile.ts';
import { Fault } from '../../src/diagnostic.ts';

const [model = '', recipe = ''] = process.argv.slice(2);
const start = performance.now();

type Outcome = Readonly<Record<string, unknown>>;

async function outcome(): Promise<Outcome> {
	try {
		const { ok, steps, proof, diagnostics } = await compile({ recipe, model, samples: 4 });
		const [step] = steps;
		return {
			ok,
			selected: step?.selected,
			of: step?.of,
			params: step?.params,
			...(proof && {
				proven: proof.ok,
				weak: proof.weak,
				weights: proof.weights,
				error: proof.maxAbs,
				tolerance: proof.tolerance,
			}),
			diagnostics: diagnostics.map(({ code, message }) => `${code}: ${message}`),
		};
	} catch (problem) {
		const text = problem instanceof Fault ? problem.message : ((problem as Error).stack ?? String(problem));
		return { ok: false, crash: text };
	}
}

const result = await outcome();
process.stdout.write(`${JSON.stringify({ ...result, seconds: (performance.now() - start) / 1000 })}\n`);
