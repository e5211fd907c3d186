/**
 * How much of trained models is kept, against magnitude, Wanda, FLAP-style biases and chance: measures every point that is not in
 * `out/quality` yet, and writes docs/quality.md. What is stopped goes on where it was.
 *
 *     node --import tsx bench/quality/run.ts [--npm <node_modules>] [--sentences <folder with model.onnx> --sentences <texts> --sentences <other texts>]
 *     node --import tsx bench/quality/run.ts --collect             writes the page of what has been measured by now
 *     node --import tsx bench/quality/run.ts --only classifier      prints the points of subjects whose names begin so
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { runtimeVersion } from '../../src/backends/ort/session.ts';
import { isMeasured, measure, originalOf } from './measure.ts';
import { methods } from './methods.ts';
import { page, type Measured } from './page.ts';
import { sentenceSubject, trained, visionSubjects } from './subjects.ts';

const { values } = parseArgs({
	options: {
		npm: { type: 'string', default: 'node_modules' },
		only: { type: 'string' },
		collect: { type: 'boolean', default: false },
		sentences: { type: 'string', multiple: true },
	},
});
const [folder, texts, others] = values.sentences ?? [];
const subjects = [
	...trained,
	...visionSubjects(values.npm, 'out/quality/pictures'),
	...(folder !== undefined && texts !== undefined && others !== undefined
		? [sentenceSubject(folder, texts, others)]
		: []),
];
const all: Measured[] = [];
for (const subject of subjects) {
	if (values.only !== undefined && !subject.name.startsWith(values.only)) continue;
	const wanted = subject.amounts.flatMap((amount) =>
		methods
			.filter((method) => !values.collect || isMeasured(subject, amount, method))
			.map((method) => ({ amount, method })),
	);
	if (wanted.length === 0) continue;
	const original = await originalOf(subject);
	const points = [];
	for (const { amount, method } of wanted) {
		const point = await measure(subject, amount, method);
		points.push(point);
		const said =
			point.error ?? point.figures.map(({ name, value }) => `${name} ${value.toFixed(4)}`).join(', ');
		console.log(`${subject.name} ${amount}, ${method.name}: ${said}; time ${point.time.toFixed(2)}`);
	}
	all.push({ subject, original, points });
}
const machine = `${availableParallelism()} cores of ${cpus()[0]?.model ?? 'a processor'}`;
const about = `onnxruntime ${await runtimeVersion()}, Node ${process.version}, ${machine}`;
if (values.only === undefined) writeFileSync('docs/quality.md', page(all, about));
