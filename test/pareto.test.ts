/** Curves: points of a swept parameter, measured once, remembered, and drawn. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../src/backends/onnx/save.ts';
import { hashOf, measurePoint, storedPoint, type CurveTask } from '../src/tasks/pareto.ts';
import { curvePage, curveTable, onFront, type CurvePoint } from '../src/report/pareto.ts';
import { combinations } from '../src/tasks/sweep.ts';
import { testFolder } from './harness/folder.ts';
import { encoder } from './harness/model.ts';
import { prunec, ready, removeFolders } from './harness/process.ts';

const test = suite('pareto');
const folder = testFolder();
const model = folder.at('model.onnx');
const recipe = 'param part = 25%\nprune ffn $part';
const task: CurveTask = { recipe, model, samples: 2, threads: 1, shapes: new Map([['x', [1, 4, 16]]]) };
test.before(async () => {
	await ready();
	saveModel(encoder(1, { heads: 2, width: 8, hidden: 64 }), model);
});
test.after(() => {
	folder.remove();
	removeFolders();
});

test('values stand by comma or as a range, and several parameters give all combinations', () => {
	assert.equal(combinations([['a', '10%,50%']]), [{ a: '10%' }, { a: '50%' }]);
	assert.equal(
		combinations([['a', '0.1:0.3:0.1']])?.map(({ a }) => a),
		['0.1', '0.2', '0.3'],
	);
	assert.equal(combinations([['a', '[1, 2],"x,y"']])?.length, 2);
	assert.equal(
		combinations([
			['a', '1,2'],
			['b', '16:48:16'],
		])?.map((one) => Object.values(one).join(' ')),
		['1 16', '1 32', '1 48', '2 16', '2 32', '2 48'],
	);
	for (const wrong of ['1:2', '1%:2:1', '2:1:1', '1:2:0', '1:2:1e-9', 'a:b:c'])
		assert.is(combinations([['a', wrong]]), undefined, wrong);
});

test('a point is measured once, and again when what it depends on is another', async () => {
	const points = folder.at('points');
	const first = await measurePoint(task, { part: '50%' }, points);
	assert.ok(
		first.ok && (first.left?.params ?? 1) < 1 && (first.left?.latency ?? 0) > 0 && first.drift !== undefined,
	);
	const path = `${points}/${first.hash}.json`;
	const marked = { ...first, problems: ['told apart'] };
	writeFileSync(path, JSON.stringify(marked));
	assert.equal(await measurePoint(task, { part: '50%' }, points), marked);
	// Half a file is none.
	writeFileSync(path, JSON.stringify(first).slice(0, 40));
	assert.is(storedPoint(points, first.hash), undefined);
	const again = await measurePoint(task, { part: '50%' }, points);
	assert.equal([again.hash, again.left?.params], [first.hash, first.left?.params]);
	assert.equal(readdirSync(points), [`${first.hash}.json`]);
	const hashes = new Set([
		first.hash,
		await hashOf(task, { part: '25%' }),
		await hashOf({ ...task, recipe: `${recipe} align 1` }, { part: '50%' }),
		await hashOf({ ...task, seed: 3 }, { part: '50%' }),
		await hashOf({ ...task, shapes: new Map([['x', [1, 8, 16]]]) }, { part: '50%' }),
	]);
	assert.is(hashes.size, 5);
});

const point = (latency: number, cosine: number, part = String(latency)): CurvePoint => ({
	...{ params: { part }, ok: true, left: { latency, params: latency }, drift: { cosine }, quality: [] },
});

test('the front holds the points that none beats in both, and the page draws them', () => {
	const points = [point(0.9, 0.99), point(0.5, 0.9), point(0.7, 0.85), point(0.5, 0.95)];
	assert.equal(
		points.map((one) => onFront(one, points)),
		[true, false, false, true],
	);
	const failed: CurvePoint = {
		params: { part: '90%' },
		ok: false,
		problems: ['out of <reach>'],
		quality: [],
	};
	const table = curveTable([...points, failed]);
	assert.is(table.match(/on the front/g)?.length, 2);
	assert.match(table, /90%.*out of <reach>/);
	const page = curvePage('curve', [...points, failed]);
	assert.is(page.match(/<circle class="keep"/g)?.length, 2);
	assert.is(page.match(/<circle class="off"/g)?.length, 2);
	assert.match(page, /out of &[^;]+;reach/);
	assert.not.match(page, /<script|src=/);
});

test('--jobs prints a command a point; each does its own, and --collect draws what is there', () => {
	const options = ['--shape', 'x=1x4x16', '--samples', '2', '--threads', '1', '-o', folder.at('curve')];
	const args = ['pareto', '-e', recipe.replace('\n', '; '), model, '-p', 'part=25%,75%', ...options];
	const lines = prunec([...args, '--jobs'], { cwd: folder.at('.') })
		.stdout.trimEnd()
		.split('\n');
	assert.is(lines.length, 2);
	// A job stays on its line, whatever the recipe.
	const broken = prunec(['pareto', '-e', recipe, model, '-p', 'part=25%,75%', '--jobs']);
	assert.match(
		broken.stdout,
		/^prunec pareto .* -e \$'param part = 25%\\nprune ffn \$part' --quiet\nprunec [^\n]*\n$/,
	);
	const words = (lines[0] ?? '').match(/'[^']*'|\S+/g) ?? [];
	const job = prunec(
		words.slice(1).map((word) => word.replace(/^'|'$/g, '')),
		{ cwd: folder.at('.') },
	);
	assert.equal([job.status, job.stdout, job.stderr], [0, '', '']);
	const collected = prunec([...args, '--collect', '--json'], { cwd: folder.at('.') });
	const { missing, points } = JSON.parse(collected.stdout) as { missing: number; points: CurvePoint[] };
	assert.equal([collected.status, missing, points.map(({ params }) => params)], [1, 1, [{ part: '25%' }]]);
	// The other point is measured in a process of its own.
	const whole = prunec(args, { cwd: folder.at('.') });
	assert.equal([whole.status, whole.stderr], [0, '']);
	const curve = JSON.parse(readFileSync(folder.at('curve/curve.json'), 'utf8')) as { points: CurvePoint[] };
	assert.equal(
		curve.points.map(({ ok, params }) => [ok, params['part']]),
		[
			[true, '25%'],
			[true, '75%'],
		],
	);
	assert.match(readFileSync(folder.at('curve/index.html'), 'utf8'), 'cost and quality');
});

test.run();
