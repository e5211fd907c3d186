import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readAddress } from '../../src/ir/imports/address.ts';

const test = suite('import addresses');

/** Spellings that are refused, each with a piece of the reason. */
const refused: readonly (readonly [address: string, reason: string])[] = [
	// Files.
	['', 'it is empty'],
	['a.prune', 'files begin with `./`'],
	['common/a.prune', 'files begin with `./`'],
	['/etc/passwd', 'absolute'],
	['/a.prune', 'absolute'],
	['//host/share/a.prune', 'absolute'],
	['~/a.prune', 'home folder'],
	['~root/a.prune', 'home folder'],
	['$HOME/a.prune', 'no relative path'],
	['C:\\a.prune', 'drives'],
	['C:a.prune', 'drives'],
	['c:/a.prune', 'drives'],
	['\\\\host\\share\\a.prune', '`/`'],
	['.\\a.prune', '`/`'],
	['./common\\a.prune', '`/`'],
	['..\\a.prune', '`/`'],
	['./', 'a folder in it has no name'],
	['.', 'names a folder'],
	['..', 'names a folder'],
	['./common', 'no `.prune` file'],
	['./a.yaml', 'no `.prune` file'],
	['./a.prune.exe', 'no `.prune` file'],
	['./.prune', 'no `.prune` file'],
	['./a.PRUNE', 'no `.prune` file'],
	['./a//b.prune', 'has no name'],
	['.//a.prune', 'has no name'],
	['././a.prune', '`.` stands only at its beginning'],
	['./../a.prune', '`.` stands only at its beginning'],
	['./a/./b.prune', '`.` stands only'],
	['./a/../b.prune', '`..` stands only'],
	['./a/../../../b.prune', '`..` stands only'],
	['./%2e%2e/a.prune', '`%`'],
	['./%2E%2E%2Fa.prune', '`%`'],
	['./a%00.prune', '`%`'],
	['./a\0.prune', 'U+0000'],
	['./a\n.prune', 'U+000A'],
	['./a\u202e.prune', 'U+202E'],
	['./a\u200b.prune', 'U+200B'],
	['./a\u2215b.prune', '`\u2215`'],
	['./e\u0301.prune', 'normal form C'],
	['./$HOME/a.prune', '`$`'],
	['./`id`/a.prune', '```'],
	['./a;b.prune', '`;`'],
	['./a|b.prune', '`|`'],
	['./a*.prune', '`*`'],
	['./a?.prune', '`?`'],
	['./a:stream.prune', '`:`'],
	['./a.prune::$DATA', '`:`'],
	['./a~1.prune', '`~`'],
	['./.../a.prune', 'ends with a space or a dot'],
	['./.. /a.prune', 'ends with a space or a dot'],
	['./common./a.prune', 'ends with a space or a dot'],
	['./ a.prune', 'ends with a space or a dot'],
	['./con.prune', 'device'],
	['./NUL.prune', 'device'],
	['./aux/a.prune', 'device'],
	['./COM1.prune', 'device'],
	['./lpt\u00b9.prune', 'device'],
	['./.git/a.prune', 'holds no recipes'],
	['./.GIT/a.prune', 'holds no recipes'],
	['./node_modules/x/a.prune', 'holds no recipes'],
	['./.prunec/imports/a.prune', 'holds no recipes'],
	[`./${'a'.repeat(300)}.prune`, '255'],
	[`./${'a/'.repeat(600)}a.prune`, '1024'],
	// Other schemes.
	['file:///etc/a.prune', '`file:`'],
	['http://example.org/a.prune', '`http:`'],
	['https://example.org/a.prune', '`https:`'],
	['data:text/plain,prune', '`data:`'],
	['javascript:alert(1)', '`javascript:`'],
	['NPM:x/a.prune', '`NPM:`'],
	['github:owner/repo//a.prune', '`github:`'],
	// Packages.
	['npm:', 'no file of a package'],
	['npm:recipes', 'no file of a package'],
	['npm:/a.prune', 'no npm package'],
	['npm:../x/a.prune', 'no npm package'],
	['npm:@/x/a.prune', 'no npm package'],
	['npm:@acme/../a.prune', 'no npm package'],
	['npm:@acme/.hidden/a.prune', 'no npm package'],
	['npm:--registry=http://x/a.prune', 'no npm package'],
	['npm:Recipes/a.prune', 'no npm package'],
	['npm:x y/a.prune', 'no npm package'],
	['npm:x@latest/a.prune', 'no exact version'],
	['npm:x@^1.2.0/a.prune', 'no exact version'],
	['npm:x@1.2.0 --foo/a.prune', 'no exact version'],
	['npm:x@file:../a.prune', 'no exact version'],
	['npm:x/../a.prune', '`..` stands only'],
	['npm:x/a/../../b.prune', '`..` stands only'],
	['npm:x//a.prune', 'has no name'],
	['npm:x/package.json', 'no `.prune` file'],
	['npm:x/node_modules/y/a.prune', 'holds no recipes'],
	// Repositories.
	['git+https://example.org/r.git//a.prune', 'behind `#`'],
	['git+https://example.org/r.git/a.prune#v1', 'behind `//`'],
	['git+https://example.org//a.prune#v1', 'no plain one'],
	['git+http://example.org/r.git//a.prune#v1', '`git+https:`'],
	['git+ssh://git@example.org/r.git//a.prune#v1', '`git+https:`'],
	['git+ext::sh -c id//a.prune#v1', '`git+https:`'],
	['git+git://example.org/r.git//a.prune#v1', '`git+https:`'],
	['git+https://user@example.org/r.git//a.prune#v1', 'passwords'],
	['git+https://user:secret@example.org/r.git//a.prune#v1', 'passwords'],
	['git+https://example.org\\@evil.org/r.git//a.prune#v1', 'passwords'],
	['git+https://0x7f.1/r.git//a.prune#v1', '127.0.0.1'],
	['git+https://2130706433/r.git//a.prune#v1', '127.0.0.1'],
	['git+https://127.1/r.git//a.prune#v1', '127.0.0.1'],
	['git+https://[0:0:0:0:0:0:0:1]/r.git//a.prune#v1', '[::1]'],
	['git+https://exa%6dple.org/r.git//a.prune#v1', 'no host'],
	['git+https://-oProxyCommand=id/r.git//a.prune#v1', 'no host'],
	['git+https://ex ample.org/r.git//a.prune#v1', 'no host'],
	['git+https://example.org/%2e%2e/r.git//a.prune#v1', 'no plain one'],
	['git+https://example.org/../r.git//a.prune#v1', 'no plain one'],
	['git+https://example.org/r.git?x=y//a.prune#v1', 'no plain one'],
	['git+https://example.org/--upload-pack=id//a.prune#v1', 'no plain one'],
	['git+https://example.org/r.git//../a.prune#v1', '`..` stands only'],
	['git+https://example.org/r.git//.git/a.prune#v1', 'holds no recipes'],
	['git+https://example.org/r.git//a.prune#', 'no tag or commit'],
	['git+https://example.org/r.git//a.prune#--upload-pack=id', 'no tag or commit'],
	['git+https://example.org/r.git//a.prune#-v1', 'no tag or commit'],
	['git+https://example.org/r.git//a.prune#v1..v2', 'no tag or commit'],
	['git+https://example.org/r.git//a.prune#v1:refs/heads/x', 'no tag or commit'],
	['git+https://example.org/r.git//a.prune#v1@{1}', 'no tag or commit'],
	['git+https://example.org/r.git//a.prune#v1^', 'no tag or commit'],
	['git+https://example.org/r.git//a.prune#v1 x', 'no tag or commit'],
	['git+https://example.org/r.git//a.prune#v1.lock', 'no tag or commit'],
	['git+https://example.org/r.git//a.prune#v1#v2', 'behind `//`'],
	['git+file://r.git//a.prune#v1', 'plain absolute path'],
	['git+file:///srv/../r.git//a.prune#v1', 'plain absolute path'],
	['git+file:///srv/--upload-pack=id//a.prune#v1', 'plain absolute path'],
];

for (const [address, reason] of refused) {
	test(`refuses ${JSON.stringify(address.slice(0, 70))}`, () => {
		const read = readAddress(address);
		assert.is(read.kind, 'bad');
		assert.ok(read.kind === 'bad' && read.why.includes(reason), read.kind === 'bad' ? read.why : '');
	});
}

test('takes what is spelled plainly, and keeps its parts apart', () => {
	assert.equal(readAddress('./a.prune'), { kind: 'file', up: 0, path: ['a.prune'] });
	assert.equal(readAddress('../../lib/a b (2).prune'), {
		kind: 'file',
		up: 2,
		path: ['lib', 'a b (2).prune'],
	});
	assert.equal(readAddress('./größe/a..b.prune'), { kind: 'file', up: 0, path: ['größe', 'a..b.prune'] });
	assert.equal(readAddress('npm:@acme/r@1.2.0-rc.1/vit/half.prune'), {
		...{ kind: 'npm', name: '@acme/r', version: '1.2.0-rc.1', path: ['vit', 'half.prune'] },
	});
	assert.equal(readAddress('git+https://example.org:8443/a/r.git//vit/half.prune#release/1.2'), {
		...{ kind: 'git', url: 'https://example.org:8443/a/r.git', host: 'example.org', ref: 'release/1.2' },
		path: ['vit', 'half.prune'],
	});
});

test.run();
