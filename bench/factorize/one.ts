/** Builds statements on one model, judges what they leave, and prints a line of JSON for each. `$data` stands for its calibration data. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { compile } from '../../src/compile.ts';
import { present } from '../../src/diagnostic.ts';
import { labelled } from './labelled.ts';

const [model = '', ...statements] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'prunec-factorize-'));
process.on('exit', () => {
	rmSync(folder, { recursive: true });
});

const { calibration, judge } = present(labelled(model), `labelled data of ${model}`);
const data = await calibration(model, folder);
const before = await judge(model, model);
const out = join(folder, 'out.onnx');

for (const statement of statements) {
	const start = performance.now();
	const recipe = statement.replace('$data', () => data);
	const document = await compile({ recipe, model, samples: 2, out, force: true });
	const { ok, steps, proof, model: was, output, diagnostics } = document;
	const result = {
		statement,
		ok,
		selected: steps.at(-1)?.selected,
		before,
		...(existsSync(out) && { after: await judge(out, model) }),
		...(was && output && { params: [was.params, output.params], macs: [was.macs, output.macs] }),
		...(proof && { proven: proof.ok, weak: proof.weak }),
		diagnostics: diagnostics.map(({ code, message }) => `${code}: ${message}`),
		seconds: (performance.now() - start) / 1000,
	};
	rmSync(out, { force: true });
	process.stdout.write(`${JSON.stringify(result)}\n`);
}
