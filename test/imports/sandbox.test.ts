import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkText, type Checked } from '../../src/recipe-text/check-text.ts';
import { Fault } from '../../src/diagnostic.ts';
import { integrity } from '../../src/imports/lock.ts';
import { importsOf } from '../../src/imports/read.ts';
import { store } from '../../src/imports/store.ts';
import { quote } from '../../src/parser/values.ts';
import { refused } from '../harness/addresses.ts';
import { folderOf, type Files } from '../harness/repository.ts';

const test = suite('import sandbox');

function checkAt(folder: string, entry = 'r.prune'): Checked {
	const path = join(folder, entry);
	const text = readFileSync(path, 'utf8');
	return checkText(text, {}, { imports: importsOf(text, path) });
}

function codesAt(folder: string, entry?: string): readonly string[] {
	return checkAt(folder, entry).diagnostics.map(({ code }) => code);
}

const step = 'prune heads 25%\n';
const use = (address: string): string => `use "${address}"\n`;
const outside = folderOf({ 'secret.prune': step, 'folder/secret.prune': step });

/** Files around `r.prune`, and the codes it gets. */
const cases: Readonly<Record<string, readonly [files: Files, codes: readonly string[], entry?: string]>> = {
	'reads a file beside the recipe': [{ 'r.prune': use('./a.prune'), 'a.prune': step }, []],
	'reads a file above the recipe when the repository begins there': [
		{ 'prunec.yaml': '', 'a.prune': step, 'lib/r.prune': use('../a.prune') },
		[],
		'lib/r.prune',
	],
	'a lock says where a repository begins': [
		{ 'prune.lock': '{}', 'a.prune': step, 'lib/r.prune': use('../a.prune') },
		[],
		'lib/r.prune',
	],
	'without a sign of a repository the folder of the recipe is all there is': [
		{ 'a.prune': step, 'lib/r.prune': use('../a.prune') },
		['import/outside'],
		'lib/r.prune',
	],
	'refuses to go above the repository': [
		{ 'prunec.yaml': '', 'r.prune': use('../a.prune') },
		['import/outside'],
	],
	'refuses to go above the repository from a folder in it': [
		{ 'prunec.yaml': '', 'lib/r.prune': use('../../a.prune') },
		['import/outside'],
		'lib/r.prune',
	],
	'refuses to go above the repository and back into it': [
		{ 'prunec.yaml': '', 'a.prune': step, 'r.prune': use('../../../../a.prune') },
		['import/outside'],
	],
	'an imported file cannot leave the repository either': [
		{ 'prunec.yaml': '', 'r.prune': use('./lib/a.prune'), 'lib/a.prune': use('../../a.prune') },
		['import/outside'],
	],
	'follows a link inside the repository': [
		{ 'prunec.yaml': '', 'r.prune': use('./a.prune'), 'a.prune': { link: 'b.prune' }, 'b.prune': step },
		[],
	],
	'refuses a link to a file outside': [
		{ 'r.prune': use('./a.prune'), 'a.prune': { link: join(outside, 'secret.prune') } },
		['import/outside'],
	],
	'refuses a folder that is a link to outside': [
		{ 'r.prune': use('./lib/secret.prune'), lib: { link: join(outside, 'folder') } },
		['import/outside'],
	],
	'refuses a link to a link to outside': [
		{
			'r.prune': use('./a.prune'),
			'a.prune': { link: 'b.prune' },
			'b.prune': { link: join(outside, 'secret.prune') },
		},
		['import/outside'],
	],
	'refuses a relative link to outside': [
		{ 'r.prune': use('./a.prune'), 'a.prune': { link: '../../../../../../etc/passwd' } },
		['import/outside'],
	],
	'refuses a link to a device': [
		{ 'r.prune': use('./a.prune'), 'a.prune': { link: '/dev/zero' } },
		['import/outside'],
	],
	'refuses a link that leads to itself': [
		{ 'r.prune': use('./a.prune'), 'a.prune': { link: 'a.prune' } },
		['import/not-a-file'],
	],
	'refuses a link that leads nowhere': [
		{ 'r.prune': use('./a.prune'), 'a.prune': { link: 'absent.prune' } },
		['import/not-found'],
	],
	'says that a file is not there': [{ 'r.prune': use('./a.prune') }, ['import/not-found']],
	'compares letters with their case': [
		{ 'r.prune': use('./Common.prune'), 'common.prune': step },
		['import/not-found'],
	],
	'compares the letters of folders with their case': [
		{ 'r.prune': use('./Lib/a.prune'), 'lib/a.prune': step },
		['import/not-found'],
	],
	'refuses a folder': [{ 'r.prune': use('./a.prune'), 'a.prune/b': '' }, ['import/not-a-file']],
	'refuses a file as a folder': [
		{ 'r.prune': use('./b.prune/a.prune'), 'b.prune': step },
		['import/not-found'],
	],
	'refuses what is longer than a recipe can be': [
		{ 'r.prune': use('./a.prune'), 'a.prune': new Uint8Array(2 ** 20 + 1).fill(35) },
		['import/too-large'],
	],
	'refuses what is not text': [
		{ 'r.prune': use('./a.prune'), 'a.prune': Uint8Array.of(0x70, 0xff, 0xfe) },
		['import/not-text'],
	],
	'refuses a recipe that imports itself': [{ 'r.prune': use('./r.prune') }, ['import/cycle']],
	'refuses two recipes that import each other': [
		{ 'r.prune': use('./a.prune'), 'a.prune': use('./r.prune') },
		['import/cycle'],
	],
	'refuses a circle of three': [
		{ 'r.prune': use('./a.prune'), 'a.prune': use('./b.prune'), 'b.prune': use('./a.prune') },
		['import/cycle'],
	],
	'sees a circle through a link': [
		{ 'r.prune': use('./a.prune'), 'a.prune': { link: 'r.prune' } },
		['import/cycle'],
	],
	'sees a circle through names': [
		{ 'r.prune': 'use "./a.prune" as a\napply a', 'a.prune': 'use "./a.prune" as b\napply b' },
		['import/cycle'],
	],
	'reads a file once that two others use': [
		{
			'r.prune': use('./a.prune') + use('./b.prune'),
			'a.prune': use('./c.prune'),
			'b.prune': use('./c.prune'),
			'c.prune': step,
		},
		[],
	],
	'goes 32 imports deep': [chainOf(32), []],
	'goes no deeper than 32 imports': [chainOf(33), ['import/too-deep']],
	'imports 256 files': [manyFiles(256), []],
	'imports no more than 256 files, and says so once': [manyFiles(270), ['import/too-many']],
	'imports no more than 8 MiB': [tenMebibytes(), ['import/too-large', 'import/too-large']],
	'refuses recipes that multiply': [laughs(), ['import/too-many-statements']],
	'a parameter of an importer is not seen by what it imports': [
		{ 'r.prune': `param cut = 2\nprune heads $cut\n${use('./a.prune')}`, 'a.prune': 'prune ffn $cut' },
		['check/unknown-param'],
	],
	'remote imports are not read from node_modules by a build': [
		{
			'r.prune': use('npm:acme/a.prune'),
			'node_modules/acme/package.json': '{"name":"acme","version":"1.0.0"}',
			'node_modules/acme/a.prune': step,
		},
		['import/not-locked'],
	],
	'remote imports are not fetched by a build': [
		{ 'r.prune': use('git+https://example.org/r.git//a.prune#v1') },
		['import/not-locked'],
	],
};

for (const [name, [files, codes, entry]] of Object.entries(cases)) {
	test(name, () => {
		const folder = folderOf(files);
		assert.equal(codesAt(folder, entry), codes);
		rmSync(folder, { recursive: true });
	});
}

function chainOf(length: number): Files {
	const names = Array.from({ length }, (_, at) => `a${at}.prune`);
	const rest = names.map((name, at) => [name, at + 1 < length ? use(`./a${at + 1}.prune`) : step] as const);
	return { 'r.prune': use('./a0.prune'), ...Object.fromEntries(rest) };
}

function manyFiles(count: number): Files {
	const names = Array.from({ length: count }, (_, at) => `a${at}.prune`);
	return {
		'r.prune': names.map((name) => use(`./${name}`)).join(''),
		...Object.fromEntries(names.map((name) => [name, ''])),
	};
}

function tenMebibytes(): Files {
	const names = Array.from({ length: 10 }, (_, at) => `a${at}.prune`);
	const mebibyte = new Uint8Array(2 ** 20).fill('#'.charCodeAt(0));
	return {
		'r.prune': names.map((name) => use(`./${name}`)).join(''),
		...Object.fromEntries(names.map((name) => [name, mebibyte])),
	};
}

/** Each file applies the next ten times: 10⁷ statements from nine files. */
function laughs(): Files {
	const level = (at: number): string => `use "./a${at + 1}.prune" as next\n${'apply next\n'.repeat(10)}`;
	const files = Array.from({ length: 7 }, (_, at) => [`a${at}.prune`, level(at)] as const);
	return { 'r.prune': 'use "./a0.prune" as a\napply a\n', ...Object.fromEntries(files), 'a7.prune': step };
}

test('does not wait for the other end of a pipe', () => {
	const folder = folderOf({ 'r.prune': use('./a.prune') });
	execFileSync('mkfifo', [join(folder, 'a.prune')]);
	assert.equal(codesAt(folder), ['import/not-a-file']);
});

const good = new TextEncoder().encode(step);

function lockOf(files: Readonly<Record<string, string>>, more: object = {}): object {
	return { schema: 'prunec/lock@1', imports: { 'npm:acme': { version: '1.0.0', files }, ...more } };
}

/** A repository with `npm:acme` locked and stored; the recipe uses its `a.prune`. */
function locked(files: Readonly<Record<string, string>> = { 'a.prune': step }): string {
	const bytes = Object.entries(files).map(([path, text]) => [path, new TextEncoder().encode(text)] as const);
	const hashes = Object.fromEntries(bytes.map(([path, content]) => [path, integrity(content)]));
	const folder = folderOf({
		'r.prune': use(`npm:acme/${Object.keys(files)[0]!}`),
		'prune.lock': JSON.stringify(lockOf(hashes)),
	});
	for (const [, content] of bytes) store(folder, content);
	return folder;
}

const hex = Buffer.from(integrity(good).slice('sha256-'.length), 'base64').toString('hex');
const stored = `.prunec/imports/${hex}.prune`;

test('reads what is locked and stored', () => {
	assert.equal(codesAt(locked()), []);
});

test('says which file is locked and not stored', () => {
	const folder = locked();
	rmSync(join(folder, stored));
	assert.equal(codesAt(folder), ['import/not-stored']);
});

test('refuses a stored file that was changed', () => {
	const folder = locked();
	writeFileSync(join(folder, stored), 'prune heads 99%\n');
	assert.equal(codesAt(folder), ['import/changed']);
});

test('refuses a store that is a link', () => {
	const folder = locked();
	const elsewhere = folderOf({ 'imports/x': '' });
	rmSync(join(folder, '.prunec'), { recursive: true });
	symlinkSync(elsewhere, join(folder, '.prunec'));
	assert.throws(
		() => {
			store(folder, good);
		},
		(problem: unknown) => problem instanceof Fault && problem.diagnostics[0]?.code === 'import/store',
	);
	assert.equal(codesAt(folder), ['import/not-stored']);
});

test('refuses a stored file that is a link', () => {
	const folder = locked();
	rmSync(join(folder, stored));
	symlinkSync(join(outside, 'secret.prune'), join(folder, stored));
	assert.equal(codesAt(folder), ['import/not-a-file']);
});

test('a stored recipe reaches files of its package that are locked, and no others', () => {
	const folder = locked({
		'lib/a.prune': use('./b.prune') + use('../c.prune') + use('./d.prune'),
		'lib/b.prune': step,
		'c.prune': 'prune ffn 25%\n',
	});
	mkdirSync(join(folder, 'lib'));
	writeFileSync(join(folder, 'lib/d.prune'), step);
	assert.equal(codesAt(folder), ['import/not-locked']);
});

test('a stored recipe cannot leave its package, nor name a repository on this machine', () => {
	const folder = locked({ 'a.prune': use('../r.prune') + use('git+file:///srv/r.git//a.prune#v1') });
	assert.equal(codesAt(folder), ['import/outside', 'import/remote-local']);
});

test('a stored recipe does not calibrate with files of this machine', () => {
	const { recipe, diagnostics } = checkAt(
		locked({ 'a.prune': 'calibrate with "/etc/passwd"\nprune heads 25%\n' }),
	);
	assert.equal(
		diagnostics.map(({ code }) => code),
		['import/remote-data'],
	);
	assert.is(recipe?.calibrate, undefined);
});

/** What a stored recipe says, and what it then gets: the path in a parameter's default is the recipe's own. */
const smuggled: Readonly<Record<string, readonly [text: string, codes: readonly string[]]>> = {
	'calibrates with a path in a parameter': [
		'param d = "/etc/passwd"\ncalibrate with $d',
		['import/remote-data'],
	],
	'evaluates with a path in a parameter': [
		'param d = "/etc/passwd"\nevaluate with $d',
		['import/remote-data'],
	],
	'keeps what a path in a parameter lists': [
		'param d = "/etc/passwd"\nprune vocab keep $d',
		['import/remote-file'],
	],
	'keeps what a path lists': ['prune vocab keep "/etc/passwd"', ['import/remote-file']],
	'keeps what a corpus holds': ['prune vocab keep seen 2 times in "/etc/passwd"', ['import/remote-file']],
	'keeps what a corpus in a parameter holds': [
		'param d = "/etc/passwd"\nprune vocab keep seen 2 times in $d',
		['import/remote-file'],
	],
};
for (const [what, [text, codes]] of Object.entries(smuggled)) {
	test(`a stored recipe that ${what} reads nothing of this machine`, () => {
		const { recipe, diagnostics } = checkAt(locked({ 'a.prune': `${text}\n` }));
		assert.equal(
			diagnostics.map(({ code }) => code),
			codes,
		);
		assert.not.match(JSON.stringify({ ...recipe, params: {} }), '/etc/passwd');
	});
}

test('a path that the user gives a stored recipe is read: on the command line, and where it is applied', () => {
	const lite = 'param words = "none"\nprune vocab keep $words\n';
	const given = locked({ 'a.prune': lite });
	const path = join(given, 'r.prune');
	const imports = importsOf(readFileSync(path, 'utf8'), path);
	const used = checkText(readFileSync(path, 'utf8'), { words: 'mine.txt' }, { imports });
	assert.equal(used.recipe?.steps[0]?.amount, { kind: 'keep-file', path: 'mine.txt' });
	const text = 'use "npm:acme/a.prune" as a\napply a(words = "own.txt")\n';
	const applied = checkText(text, {}, { imports: importsOf(text, path) });
	assert.equal(applied.recipe?.steps[0]?.amount, { kind: 'keep-file', path: 'own.txt' });
});

const hash = integrity(good);
/** Locks that are not what `add` writes. */
const damaged: Readonly<Record<string, string | Uint8Array>> = {
	'no JSON': '{',
	'no text': Uint8Array.of(0xff, 0xfe),
	'another schema': '{"schema":"prunec/lock@2","imports":{}}',
	'an unknown field': '{"schema":"prunec/lock@1","imports":{},"scripts":{}}',
	'a hash of another kind': JSON.stringify(lockOf({ 'a.prune': 'md5-AAAA' })),
	'a hash that names a path': JSON.stringify(lockOf({ 'a.prune': 'sha256-../../../../etc/passwd' })),
	'a package of another kind': JSON.stringify(
		lockOf({ 'a.prune': hash }, { 'https://example.org': { version: '1.0.0', files: {} } }),
	),
	'a version and a commit': JSON.stringify(
		lockOf({}, { 'npm:b': { version: '1.0.0', commit: 'a'.repeat(40), files: {} } }),
	),
	'neither version nor commit': JSON.stringify(lockOf({}, { 'npm:b': { files: {} } })),
	'a commit that is an option': JSON.stringify(
		lockOf({}, { 'git+https://e.org/r#v1': { commit: '--upload-pack=id', files: {} } }),
	),
	'a version that is an option': JSON.stringify(
		lockOf({}, { 'npm:b': { version: '--registry=x', files: {} } }),
	),
	'a prototype': '{"schema":"prunec/lock@1","imports":{"__proto__":{"version":"1.0.0","files":{}}}}',
};

for (const [what, lock] of Object.entries(damaged)) {
	test(`refuses a lock with ${what}`, () => {
		const folder = folderOf({ 'r.prune': use('npm:acme/a.prune'), 'prune.lock': lock });
		assert.throws(
			() => codesAt(folder),
			(problem: unknown) => problem instanceof Fault && problem.diagnostics[0]?.code === 'import/lock',
		);
	});
}

test('a recipe gets `import/address` for every spelling that is refused, at its place', () => {
	const folder = folderOf({ 'r.prune': step });
	for (const [address] of refused) {
		const text = `use ${quote(address)}\n`;
		const [problem, ...more] = importsOf(text, join(folder, 'r.prune')).diagnostics;
		assert.equal([problem?.code, more.length], ['import/address', 0], address);
		assert.equal(problem?.span, { start: 4, end: text.length - 1 }, address);
	}
});

test('there are at least eighty cases of what files, stores and locks do, and as many of addresses', () => {
	const files = [cases, smuggled, damaged].flatMap((table) => Object.keys(table));
	assert.ok(files.length + refused.length >= 160, String(files.length + refused.length));
	assert.ok(refused.length >= 80 && files.length >= 50, String(files.length));
});

test.run();
