/** What a person types, and what comes out: help, answers, mistakes, exit statuses. */
import { existsSync, mkdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { commands } from '../../src/cli/commands.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { buildOf } from '../harness/exact.ts';
import { classifier } from '../harness/exits.ts';
import { golden } from '../harness/golden.ts';
import { encoder } from '../harness/model.ts';
import { everything, folderWith, prunec, ready, removeFolders, type Ended } from '../harness/process.ts';

const test = suite('the command line');
let folder = '';
let original = '';
const recipe = 'recipes/bert-half.prune';

test.before(async () => {
	await ready();
	original = join(folderWith(), 'model.onnx');
	saveModel(encoder(2, { heads: 4, width: 8, hidden: 64 }), original);
});
test.before.each(() => {
	folder = folderWith({ 'model.onnx': original, 'recipe.prune': recipe });
});
test.after(removeFolders);

const run = (...args: readonly string[]): Ended => prunec(args, { cwd: folder });
/** The only document on standard output, and the codes in it. */
function documentOf({ stdout }: Ended): {
	readonly schema?: string;
	readonly ok?: boolean;
	readonly codes: string[];
} {
	const document = JSON.parse(stdout) as {
		readonly schema?: string;
		readonly ok?: boolean;
		readonly diagnostics?: readonly { readonly code: string }[];
	};
	return { ...document, codes: (document.diagnostics ?? []).map(({ code }) => code) };
}
/** A model is small, and two samples are enough, where the command and not the proof is tested. */
const quick = ['--samples', '2', '--threads', '1'];

for (const { usage } of commands) {
	const [name = ''] = usage.split(' ');
	test(`${name} --help says in 24 lines what it takes`, () => {
		const { status, stdout, stderr } = run(name, '--help');
		assert.equal([status, stderr], [0, '']);
		assert.ok(stdout.trimEnd().split('\n').length <= 24, stdout);
		golden(`cli/${name}.txt`, stdout);
	});
}

/** Rows of float32 as NumPy keeps them (format 1.0). */
function npy(dims: readonly number[]): Buffer {
	const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dims.join(', ')}), }`;
	const header = Buffer.from(`${text.padEnd(117)}\n`);
	const head = Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), Buffer.from([118, 0]), header]);
	const count = dims.reduce((product, dim) => product * dim, 1);
	const values = Float32Array.from({ length: count }, (_, at) => Math.sin(at));
	return Buffer.concat([head, new Uint8Array(values.buffer)]);
}

/** What fetches from elsewhere runs against a registry and a repository of its own in `imports/add.test.ts`, and the language server for a client in `lsp/server.test.ts`. */
const elsewhere: ReadonlySet<string> = new Set(['add', 'update', 'lsp']);

/** What `exit` makes of a classifier, for the command that takes such models apart. */
async function classifierWithExits(): Promise<Model> {
	return (await buildOf(classifier(), 'exit after layers [0, 1] when confidence > 0.4')).model;
}

test('every example in a help text runs as it stands, in the order of the commands', async () => {
	writeFileSync(join(folder, 'test.npy'), npy([8, 4, 32]));
	saveModel(await classifierWithExits(), join(folder, 'early.onnx'));
	const project = 'name: tried\nmodels:\n  small: { file: model.onnx }\n';
	writeFileSync(join(folder, 'prunec.yaml'), project);
	writeFileSync(
		join(folder, 'recipe.test.yaml'),
		'cases:\n  - model: small\n    removes: [4, 64]\n    samples: 2\n',
	);
	for (const { usage, examples } of commands) {
		if (elsewhere.has(usage.split(' ')[0] ?? '')) continue;
		for (const example of examples) {
			const words = example.match(/'[^']*'|\S+/g) ?? [];
			const { status, stderr } = run(...words.map((word) => word.replace(/^'|'$/g, '')));
			assert.is(status, 0, `prunec ${example}\n${stderr}`);
		}
	}
	const made = ['applied.onnx', 'half.onnx', 'plan.json', 'small.onnx', 'starter.prune'];
	const stages = ['', 'manifest.json', ...[0, 1, 2].map((at) => `stage_${at}.onnx`)].map((name) =>
		join('stages', name),
	);
	const given = ['early.onnx', 'model.onnx', 'prunec.yaml', 'recipe.prune', 'recipe.test.yaml', 'test.npy'];
	assert.equal(everything(folder), [...made, ...stages, ...given, 'README.md', 'index.json'].sort());
});

test('without a command, and with one that is unknown, it says what there is', () => {
	const none = run();
	assert.equal([none.status, none.stdout], [2, '']);
	golden('cli/prunec.txt', none.stderr);
	assert.is(run('--help').stdout, none.stderr);
	const unknown = run('biuld');
	assert.equal([unknown.status, unknown.stdout], [2, '']);
	assert.match(unknown.stderr, "unknown command 'biuld'");
	assert.match(unknown.stderr, 'build is the nearest spelling');
});

test('a flag that is unknown is refused with the one that was meant, in words and as JSON', () => {
	const words = run('check', '--modle', 'model.onnx', 'recipe.prune');
	assert.equal([words.status, words.stdout], [2, '']);
	assert.match(words.stderr, '--model is the nearest spelling');
	const json = run('plan', 'recipe.prune', 'model.onnx', '--json', '--sede', '1');
	assert.is(json.status, 2);
	assert.equal(documentOf(json).codes, ['cli/usage']);
});

test('arguments of the wrong kind are refused before anything is read', () => {
	for (const args of [
		['build', 'recipe.prune', 'absent.onnx'],
		['build', 'recipe.prune', '-o', 'x.onnx'],
		['build', '-e', 'prune ffn 50%', 'recipe.prune', 'model.onnx', '-o', 'x.onnx'],
		['plan', 'recipe.prune', 'model.onnx', '--shape', 'x=1,2'],
		['plan', 'recipe.prune', 'model.onnx', '--seed', 'one'],
		['plan', 'recipe.prune', 'model.onnx', '-p', 'rank:3'],
		['plan', 'recipe.prune', 'model.onnx', '--dump', 'grpah'],
		['list', 'tehcniques'],
	]) {
		const { status, stdout, stderr } = run(...args);
		assert.equal([status, stdout], [2, ''], args.join(' '));
		assert.match(stderr, /^error cli\/usage: /, args.join(' '));
	}
});

test('the version, in words and as JSON', () => {
	const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string };
	assert.equal(run('--version'), { status: 0, stdout: `${version}\n`, stderr: '' });
	const document = JSON.parse(run('--version', '--json').stdout) as { readonly version: string };
	assert.is(document.version, version);
});

test('a file that is missing, and a recipe that is wrong, have different statuses', () => {
	const cases: readonly (readonly [args: readonly string[], status: number, code: string])[] = [
		[['check', 'absent.prune'], 2, 'cli/unreadable'],
		[['build', 'absent.prune', 'model.onnx', '-o', 'x.onnx'], 2, 'cli/unreadable'],
		[['build', 'recipe.prune', 'absent.onnx', '-o', 'x.onnx'], 2, 'model/not-found'],
		[['apply', 'absent.json', 'model.onnx', '-o', 'x.onnx'], 2, 'cli/unreadable'],
		[['inspect', 'absent.onnx'], 2, 'model/not-found'],
		[['verify', 'model.onnx', 'absent.onnx'], 2, 'model/not-found'],
		[['bench', 'model.onnx', 'absent.onnx'], 2, 'model/not-found'],
		[['check', '-e', 'prune heds 25%'], 1, 'check/unknown-target'],
		[['plan', '-e', 'prune heads 25% in layers 6..12', 'model.onnx'], 1, 'plan/empty-range'],
		[['explain', 'plan/no-such-thing'], 2, 'cli/no-such-code'],
	];
	for (const [args, status, code] of cases) {
		const words = run(...args);
		assert.equal([words.status, words.stdout], [status, ''], args.join(' '));
		assert.match(words.stderr, `error ${code}: `, args.join(' '));
		const json = run(...args, '--json');
		assert.is(json.status, status, args.join(' '));
		assert.equal(documentOf(json).codes, [code], args.join(' '));
	}
	assert.equal(everything(folder), ['model.onnx', 'recipe.prune']);
});

test('a model that is cut short, and one that is no model, are refused with the place', () => {
	truncateSync(join(folder, 'model.onnx'), 5000);
	const short = run('inspect', 'model.onnx');
	assert.equal([short.status, short.stdout], [1, '']);
	assert.match(short.stderr, /model\/malformed: .* at byte \d+/);
	writeFileSync(join(folder, 'page.onnx'), '<!doctype html><title>Not found</title>');
	const page = run('build', 'recipe.prune', 'page.onnx', '-o', 'x.onnx', '--json');
	assert.is(page.status, 1);
	assert.equal(documentOf(page).codes, ['model/malformed']);
	assert.is(existsSync(join(folder, 'x.onnx')), false);
});

test('what exists is replaced only with --force, and a folder must exist', () => {
	const [target, plan] = [join(folder, 'small.onnx'), join(folder, 'plan.json')];
	writeFileSync(target, 'mine');
	writeFileSync(plan, 'mine');
	const build = ['build', 'recipe.prune', 'model.onnx', '--no-verify', '-o'];
	assert.is(run(...build, 'small.onnx').status, 2);
	assert.match(run(...build, 'small.onnx').stderr, 'write/exists');
	assert.match(run('plan', 'recipe.prune', 'model.onnx', '-o', 'plan.json').stderr, 'write/exists');
	assert.equal([readFileSync(target, 'utf8'), readFileSync(plan, 'utf8')], ['mine', 'mine']);
	assert.is(run(...build, 'small.onnx', '--force').status, 0);
	assert.is.not(readFileSync(target, 'utf8'), 'mine');
	const nowhere = run(...build, 'no/such/x.onnx');
	assert.is(nowhere.status, 2);
	assert.match(nowhere.stderr, 'its folder does not exist');
});

test('a recipe comes from a file, from standard input or from -e, with parameters', () => {
	const text = 'param share = 0.25 from 0 to 1\nprune heads where importance < $share';
	writeFileSync(join(folder, 'with-param.prune'), text);
	const planOf = (ended: Ended): unknown => {
		assert.is(ended.status, 0, ended.stderr);
		return (JSON.parse(ended.stdout) as { readonly steps: unknown }).steps;
	};
	const flags = ['model.onnx', '--json', '-p', 'share=100%'];
	const file = planOf(run('plan', 'with-param.prune', ...flags));
	assert.equal(planOf(prunec(['plan', '-', ...flags], { cwd: folder, input: text })), file);
	assert.equal(planOf(run('plan', '-e', text, ...flags)), file);
	assert.is.not(
		JSON.stringify(planOf(run('plan', '-e', text, 'model.onnx', '--json'))),
		JSON.stringify(file),
	);
});

test('flags of the run reach the run', () => {
	const removed = (seed: string): string =>
		JSON.stringify(
			(
				JSON.parse(
					run('plan', '-e', 'prune ffn 50% by random', 'model.onnx', '--json', '--seed', seed).stdout,
				) as { readonly steps: readonly { readonly removed: unknown }[] }
			).steps[0]?.removed,
		);
	assert.is(removed('1'), removed('1'));
	assert.is.not(removed('1'), removed('2'));
	const built = run(
		...['build', 'recipe.prune', 'model.onnx', '-o', 'small.onnx', '--json', '--bench'],
		...['--shape', 'x=1x4x32', '--samples', '3', '--threads', '1'],
	);
	const { proof, latency, model } = JSON.parse(built.stdout) as {
		readonly proof: { readonly samples: number };
		readonly latency: { readonly threads: number; readonly runs: number; readonly ratio: number };
		readonly model: { readonly macs: number };
	};
	assert.equal([proof.samples, latency.threads, latency.runs], [3, 1, 15]);
	assert.ok(latency.ratio > 0);
	const twice = run('inspect', 'model.onnx', '--json', '--shape', 'x=1x8x32');
	const { macs } = (JSON.parse(twice.stdout) as { readonly model: { readonly macs: number } }).model;
	assert.ok(macs > model.macs && macs < 3 * model.macs, 'twice the tokens cost about twice as much');
});

test('answers go to standard output, everything else to standard error; -q keeps quiet', () => {
	const build = ['build', 'recipe.prune', 'model.onnx', ...quick, '-o'];
	const loud = run(...build, 'a.onnx');
	assert.equal([loud.status, loud.stderr], [0, '']);
	assert.match(loud.stdout, 'written  a.onnx');
	assert.equal(run(...build, 'b.onnx', '-q'), { status: 0, stdout: '', stderr: '' });
	const unproven = run('build', 'recipe.prune', 'model.onnx', '--no-verify', '-o', 'c.onnx');
	assert.match(unproven.stdout, 'proof    not run (--no-verify)');
});

test('an expectation that fails leaves nothing, unless told to keep going', () => {
	const build = ['build', '-e', 'prune ffn 50%; expect params <= 1%', 'model.onnx', ...quick, '-o', 'x.onnx'];
	const strict = run(...build, '--json');
	assert.is(strict.status, 1);
	assert.equal(documentOf(strict).codes, ['verify/expectation']);
	assert.equal(everything(folder), ['model.onnx', 'recipe.prune']);
	assert.is(run(...build, '--keep-going').status, 1);
	assert.ok(existsSync(join(folder, 'x.onnx')));
});

test('check prints one document for many recipes, each with its place', () => {
	writeFileSync(join(folder, 'wrong.prune'), 'prune heds 25%\nprnue ffn 3');
	const { schema, ok, codes, ...rest } = documentOf(run('check', 'recipe.prune', 'wrong.prune', '--json'));
	assert.equal(
		[schema, ok, codes],
		['prunec/check@1', false, ['check/unknown-target', 'check/unknown-verb']],
	);
	const { recipes, diagnostics } = rest as unknown as {
		readonly recipes: readonly { readonly path: string; readonly ok: boolean }[];
		readonly diagnostics: readonly { readonly file: string; readonly start: { readonly line: number } }[];
	};
	assert.equal(
		recipes.map(({ path, ok: fine }) => [path, fine]),
		[
			['recipe.prune', true],
			['wrong.prune', false],
		],
	);
	assert.equal(
		diagnostics.map(({ file, start }) => [file, start.line]),
		[
			['wrong.prune', 1],
			['wrong.prune', 2],
		],
	);
});

test('every stage of the pipeline can be looked at', () => {
	const dump = (stage: string): string => run('plan', 'recipe.prune', 'model.onnx', '--dump', stage).stdout;
	assert.ok(Array.isArray(JSON.parse(dump('syntax'))));
	assert.is((JSON.parse(dump('recipe')) as { readonly schema: string }).schema, 'prunec/recipe@1');
	assert.match(dump('graph'), /^input x float32\[batch, seq, 32\]\nweight /);
	assert.match(dump('patch'), /^prune heads .*\n\tconstant \w+ \[/);
});

test('verify with a plan takes only what the plan makes', () => {
	assert.is(run('plan', 'recipe.prune', 'model.onnx', '-o', 'plan.json').status, 0);
	assert.is(run('apply', 'plan.json', 'model.onnx', '-o', 'small.onnx', ...quick).status, 0);
	const verify = ['verify', 'model.onnx', 'small.onnx', '--plan', 'plan.json', ...quick];
	assert.is(run(...verify).status, 0);
	const bytes = readFileSync(join(folder, 'small.onnx'));
	bytes[Math.floor(bytes.length / 2)]! ^= 1;
	writeFileSync(join(folder, 'small.onnx'), bytes);
	const changed = run(...verify, '--json');
	assert.is(changed.status, 1);
	assert.equal(documentOf(changed).codes, ['verify/other-result']);
});

test('a model in a folder is read and written as one, with what lies beside it', () => {
	const home = join(folder, 'bert');
	mkdirSync(join(home, 'onnx'), { recursive: true });
	saveModel(encoder(2, { heads: 4, width: 8, hidden: 64 }), join(home, 'onnx', 'model.onnx'));
	for (const name of ['config.json', 'tokenizer.json', 'pytorch_model.bin', '.gitattributes'])
		writeFileSync(join(home, name), name);
	assert.is(run('inspect', 'bert').status, 0);
	assert.is(run('build', 'recipe.prune', 'bert', '-o', 'small', ...quick).status, 0);
	assert.equal(everything(join(folder, 'small')), [
		'config.json',
		'onnx',
		'onnx/model.onnx',
		'tokenizer.json',
	]);
	assert.is(readFileSync(join(folder, 'small', 'config.json'), 'utf8'), 'config.json');
	assert.is(run('build', 'recipe.prune', 'bert', '-o', 'small', ...quick).status, 2);
	assert.is(run('build', 'recipe.prune', 'bert', '-o', 'small', '--force', ...quick).status, 0);
	assert.is(run('bench', 'bert', 'small', '--samples', '1').status, 0);
	assert.is(run('build', 'recipe.prune', 'bert', '-o', 'alone.onnx', '--no-verify').status, 0);
	mkdirSync(join(folder, 'into'));
	assert.is(run('build', 'recipe.prune', 'model.onnx', '-o', 'into', '--no-verify').status, 0);
	assert.equal(everything(join(folder, 'into')), ['model.onnx']);
	writeFileSync(join(folder, 'into', 'second.onnx'), '');
	assert.is(run('inspect', 'into').status, 0, 'model.onnx is the one that is meant');
	renameSync(join(folder, 'into', 'model.onnx'), join(folder, 'into', 'first.onnx'));
	assert.match(run('inspect', 'into').stderr, 'one must be named: first.onnx, second.onnx');
});

test.run();
