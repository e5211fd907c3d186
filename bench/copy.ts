/**
 * An empty recipe on 1.9 GB beside a file copy. Aims: under 120 MB, under 3 x the time.
 *
 *     npm run build && node --import tsx bench/copy.ts [folder] [rounds]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { saveModel } from '../src/backends/onnx/save.ts';
import { report, sideBySide } from './harness.ts';
import { largeEncoder } from './models.ts';

const prunec = fileURLToPath(new URL('../dist/prunec.cjs', import.meta.url));
const [, , where = tmpdir(), rounds = '3'] = process.argv;
const folder = mkdtempSync(join(where, 'prunec-bench-'));
const at = (name: string): string => join(folder, name);
try {
	saveModel(largeEncoder(67), at('in.onnx'));
	const build = ['build', '-e', '', at('in.onnx'), '-o', at('out.onnx'), '--no-verify', '--force'];
	const copy = `fs.copyFileSync(${JSON.stringify(at('in.onnx'))}, ${JSON.stringify(at('copy.onnx'))})`;
	const results = sideBySide(
		[
			{ name: 'a file copy by Node', argv: [process.execPath, '-e', copy] },
			{ name: 'prunec, empty recipe', argv: [process.execPath, prunec, ...build] },
		],
		Number(rounds),
	);
	console.log(report(results, 'a file copy by Node'));
} finally {
	rmSync(folder, { recursive: true, force: true });
}
