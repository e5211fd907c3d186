/**
 * How long a person waits for `prunec check`, against Node alone. Aim: at most 180 ms more.
 *
 *     npm run build && node --import tsx bench/start-up.ts [rounds]
 */
import { fileURLToPath } from 'node:url';
import { median, report, sideBySide } from './harness.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const prunec = `${root}dist/prunec.cjs`;
const node = process.execPath;
const results = sideBySide(
	[
		{ name: 'node', argv: [node, '-e', '0'] },
		{ name: 'prunec --version', argv: [node, prunec, '--version'] },
		{ name: 'prunec check', argv: [node, prunec, 'check', `${root}recipes/ocr-lite.prune`] },
	],
	Number(process.argv[2] ?? 21),
);
console.log(report(results, 'node'));
const more = (what: 'ms' | 'cpuMs'): string =>
	median(
		(results.get('prunec check') ?? []).map(
			(run, at) => run[what] - (results.get('node')?.[at]?.[what] ?? NaN),
		),
	).toFixed(0);
console.log(`prunec check is node + ${more('ms')} ms (aim: 180); + ${more('cpuMs')} ms of processor time`);
