/**
 * `prune channels 50%` beside Torch-Pruning, in turns, each in a fresh process: plan and rewrite beside its build and step, the work from file to file
 * beside its import, build, step and export. In seconds of processor time, as Python's own libraries are loaded before its clock starts.
 *
 *     node --import tsx bench/peers/planning.ts FOLDER [--python interpreter] [--rounds 5] MODEL…
 *
 * `FOLDER` holds `MODEL.onnx` as `export_torchvision.py` writes it.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle } from '../../scripts/bundle.ts';
import { table } from '../../src/report/tables.ts';
import { median } from '../harness.ts';

type Ours = { readonly load: number; readonly plan: number; readonly write: number; readonly wall: number };
type Theirs = { readonly load: number; readonly seconds: number; readonly export: number };

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values, positionals } = parseArgs({
	options: { python: { type: 'string', default: 'python3' }, rounds: { type: 'string', default: '5' } },
	allowPositionals: true,
});
const [folder = '.', ...models] = positionals;
const scratch = mkdtempSync(join(tmpdir(), 'prunec-bench-'));
const program = join(root, 'dist/bench-job.cjs');

/** The JSON that a command prints last, and how long it ran, in seconds of the clock. */
function told(argv: readonly [string, ...string[]]): Readonly<Record<string, number>> {
	const start = performance.now();
	const { status, stdout, stderr } = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8' });
	if (status !== 0) throw new Error(`${argv.join(' ')}: status ${status ?? ''}\n${stderr}`);
	const last = stdout.trim().split('\n').at(-1) ?? '';
	return {
		...(JSON.parse(last) as Readonly<Record<string, number>>),
		wall: (performance.now() - start) / 1000,
	};
}

function row(model: string): string[] {
	const job: [string, ...string[]] = [process.execPath, program, join(folder, `${model}.onnx`)];
	const ours: Ours[] = [];
	const theirs: Theirs[] = [];
	for (let round = -1; round < Number(values.rounds); round++) {
		const own = told([...job, join(scratch, 'out.onnx'), 'prune channels 50%']) as Ours;
		const other = told([values.python, join(root, 'bench/peers/prune_torch.py'), model]) as Theirs;
		if (round < 0) continue;
		ours.push(own);
		theirs.push(other);
	}
	const plan = median(ours.map((one) => one.plan));
	const step = median(theirs.map((one) => one.seconds));
	const whole = median(ours.map((one) => one.load + one.plan + one.write));
	const all = median(theirs.map((one) => one.load + one.seconds + one.export));
	const wall = median(ours.map((one) => one.wall));
	const shown = [plan, step].map((seconds) => `${seconds.toFixed(2)} s`);
	return [
		model,
		...[...shown, `${(plan / step).toFixed(2)} x`, `${whole.toFixed(2)} s`, `${all.toFixed(2)} s`],
		...[`${(whole / all).toFixed(2)} x`, `${wall.toFixed(2)} s`],
	];
}

await bundle(program, 'bench/job.ts');
const heads = [
	'model',
	'plan, rewrite',
	'build, step',
	'ratio',
	'file to file',
	'import to export',
	'ratio',
	'our process',
];
try {
	console.log(table([heads, ...models.map(row)]));
} finally {
	rmSync(scratch, { recursive: true });
}
