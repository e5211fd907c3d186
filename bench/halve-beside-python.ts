/**
 * Load, score, halve heads and feed-forward neurons, write: prunec without its proof, beside Python's onnx and numpy doing
 * the same (bench/peers/halve.py; Debian's python3-onnx, python3-numpy and time). Aims: at most 0.65 x the time and 0.45 x
 * the memory; the whole command with its hashes 1.1 x.
 *
 *     npm run build && node --import tsx bench/halve-beside-python.ts [folder] [rounds]
 *
 * A folder in memory (/dev/shm) keeps the disk out of it: prunec waits until its file is on the disk, onnx does not.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../scripts/bundle.ts';
import { saveModel } from '../src/backends/onnx/save.ts';
import { report, sideBySide } from './harness.ts';
import { largeEncoder } from './models.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const [, , where = existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), rounds = '7'] = process.argv;
const folder = mkdtempSync(join(where, 'prunec-bench-'));
const at = (name: string): string => join(folder, name);
const node = process.execPath;
try {
	saveModel(largeEncoder(12), at('in.onnx'));
	const program = join(root, 'dist/bench-job.cjs');
	await bundle(program, 'bench/job.ts');
	const recipe = 'prune heads 50% by l2; prune ffn 50% by l2';
	const results = sideBySide(
		[
			{
				name: 'onnx and numpy',
				argv: ['/usr/bin/python3', join(root, 'bench/peers/halve.py'), at('in.onnx'), at('py.onnx')],
			},
			{ name: 'prunec, without hashes', argv: [node, program, at('in.onnx'), at('plain.onnx'), recipe] },
			{
				name: 'prunec build --no-verify',
				argv: [
					...([node, join(root, 'dist/prunec.cjs'), 'build', '-e', recipe, at('in.onnx')] as const),
					...['-o', at('out.onnx'), '--no-verify', '--force'],
				],
			},
		],
		Number(rounds),
	);
	console.log(report(results, 'onnx and numpy'));
} finally {
	rmSync(folder, { recursive: true, force: true });
}
