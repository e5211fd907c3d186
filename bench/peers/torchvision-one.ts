/** `prune channels 50%` on one exported model: planned alone, then built with its proof and timed. One line of JSON. Run by `torchvision.ts`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile } from '../../src/compile.ts';
import { processorSeconds } from '../harness.ts';

const [model = ''] = process.argv.slice(2);
const recipe = 'prune channels 50%';
const folder = mkdtempSync(join(tmpdir(), 'prunec-bench-'));

try {
	const plan = await timed(() => compile({ recipe, model, verify: false }));
	const whole = await timed(() => compile({ recipe, model, verify: false, out: join(folder, 'whole.onnx') }));
	const built = await timed(() => compile({ recipe, model, samples: 4, bench: true, threads: 1 }));
	const { ok, steps, proof, latency, diagnostics } = built.result;
	const error = diagnostics.find(({ severity }) => severity === 'error');
	const line = {
		ok,
		selected: steps[0]?.selected,
		of: steps[0]?.of,
		params: steps[0]?.params,
		...(proof && { proven: proof.ok, weak: proof.weak, error: proof.maxRel }),
		...(latency && { before: latency.beforeMs, after: latency.afterMs }),
		...(error && { refused: `${error.code}: ${error.message}` }),
		planSeconds: plan.seconds,
		wholeSeconds: whole.seconds,
		provenSeconds: built.seconds,
	};
	process.stdout.write(`${JSON.stringify(line)}\n`);
} finally {
	rmSync(folder, { recursive: true });
}

/** The result, and the processor time that it took, in seconds. */
async function timed<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly seconds: number }> {
	const start = processorSeconds();
	const result = await work();
	return { result, seconds: processorSeconds() - start };
}
