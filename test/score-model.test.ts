/** Scores that `inspect --scores` shows: those that statements go by. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../src/backends/onnx/load.ts';
import { compile } from '../src/compile.ts';
import { htmlPage } from '../src/report/html.ts';
import { scorePictures, scoreTables } from '../src/report/scores.ts';
import { scoreModel, type ModelScores } from '../src/tasks/score-model.ts';
import { lm } from './fixtures/text/text.ts';

const test = suite('scores of a model');

async function scored(metric?: string): Promise<ModelScores> {
	const loaded = loadModel(lm.model);
	const found = await scoreModel(loaded, { threads: 1, samples: 2, ...(metric !== undefined && { metric }) });
	loaded.file.close();
	return found;
}

test('are those that a statement plans with, by target', async () => {
	const { targets } = await scored('l1');
	const document = await compile({
		recipe: 'prune heads 1 by l1',
		model: lm.model,
		samples: 2,
		verify: false,
	});
	const heads = targets.find(({ target }) => target === 'heads');
	assert.ok(heads !== undefined && 'groups' in heads && heads.metric === 'l1');
	assert.equal(
		heads.groups.map(({ scores }) => scores.map((score) => Number((score / Math.max(...scores)).toFixed(4)))),
		document.steps[0]?.groups?.map(({ importance }) => importance),
	);
});

test('are of the metric that statements without `by` take where none is named, and of the targets it ranks where one is', async () => {
	const names = ({ targets }: ModelScores): string[] =>
		targets.map((one) => `${one.target} by ${'metric' in one ? one.metric : one.why}`);
	assert.equal(names(await scored()), [
		'heads by l2',
		'ffn by l2',
		'layers by block_influence',
		'hidden by l2',
	]);
	assert.equal(names(await scored('angular')), ['layers by angular']);
});

test('are a block a unit in the terminal, a square on the page, and tenths of wide groups in both', async () => {
	const found = await scored('l1');
	const lines = scoreTables(found).split('\n');
	assert.match(lines[0] ?? '', /^heads by l1$/);
	assert.match(lines.find((line) => line.startsWith('layer 0')) ?? '', /^layer 0 +4 {2}\[[▁▂▃▄▅▆▇█]{4}\]/);
	const wide = lines.slice(lines.indexOf('ffn by l1')).find((line) => line.startsWith('layer 0')) ?? '';
	assert.match(wide, /^layer 0 +320 {2}\[[▁▂▃▄▅▆▇█]{10}\]/);
	const page = htmlPage('scores', [scorePictures(found)]);
	const [ffn = ''] = /aria-label="ffn by l1".*?<\/svg>/s.exec(page) ?? [];
	assert.is(ffn.match(/<title>layer 0, tenth \d: /g)?.length, 10);
	assert.not.match(page, /<script|src=|href=/);
});

test.run();
