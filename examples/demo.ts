/** The main job on a real model: prunes the text recognizer, prints plan, proof and drift, and reads lines with both. */
import { mkdirSync, readFileSync } from 'node:fs';
import { compile } from '../src/compile.ts';
import { buildReport } from '../src/report/build.ts';
import { countRight, labels, lines, readLines, recognizer } from './read-lines.ts';

mkdirSync('out', { recursive: true });
const out = 'out/recognizer-lite.onnx';
const recipe = readFileSync('recipes/ocr-lite.prune', 'utf8');
console.log(recipe);
const document = await compile({ recipe, model: recognizer, out, data: `${lines}/calibration`, force: true });
console.log(buildReport(document));
for (const { code, message } of document.diagnostics) console.log(`${code}: ${message}`);
if (document.ok) {
	const [before, after] = [await readLines(recognizer), await readLines(out)];
	console.log('\nrendered line                   | original                        | pruned');
	for (const [at, label] of labels().entries()) {
		if (at % 6 === 0 || after[at] !== label)
			console.log([label, before[at] ?? '', after[at] ?? ''].map((text) => text.padEnd(32)).join('| '));
	}
	console.log(
		`\nread right: ${countRight(before)} of ${labels().length} by the original, ${countRight(after)} by the pruned model`,
	);
}
process.exitCode = document.ok ? 0 : 1;
