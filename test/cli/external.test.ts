/** Models whose weights lie beside them, and are not there, not whole or not to be read: said at once, by every command that needs them. */
import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { encoder } from '../harness/model.ts';
import { folderWith, forbidden, prunec, ready, removeFolders, type Ended } from '../harness/process.ts';

const test = suite('external data that cannot be read');
let folder = '';
const data = (): string => join(folder, 'home', 'm.onnx_data');

test.before(async () => {
	await ready();
});
test.before.each(() => {
	folder = folderWith();
	mkdirSync(join(folder, 'home'));
	const model = encoder(2, { heads: 4, width: 8, hidden: 64 });
	saveModel(model, join(folder, 'home', 'm.onnx'), { externalData: 'always' });
	// The same data in the folder that the command runs in: a runtime left to look for it would find it there.
	saveModel(model, join(folder, 'm.onnx'), { externalData: 'always' });
});
test.after(removeFolders);

const run = (args: string, preload?: string): Ended =>
	prunec(args.split(' '), { cwd: folder, ...(preload !== undefined && { preload }) });

/** What is said, by a command that must fail and write nothing. */
function complaint(args: string, preload?: string, wanted = 2): string {
	const { status, stdout, stderr } = run(args, preload);
	assert.equal([status, stdout], [wanted, ''], `${args}\n${stderr}`);
	assert.equal(readdirSync(folder).sort(), ['home', 'm.onnx', 'm.onnx_data'], args);
	return stderr;
}
const build = 'build -e share home/m.onnx -o small.onnx --no-verify';

const needing = ['plan -e share home/m.onnx', 'verify m.onnx home/m.onnx', 'bench home/m.onnx m.onnx'];

test('a file that is absent is named with the tensor and the next step; looking at the structure only warns', () => {
	rmSync(data());
	const said = `error model/external-missing: external data of tensor 'w3' cannot be read from 'home/m.onnx_data': there is no such file
  = help: the model is several files: put 'home/m.onnx_data' where 'm.onnx' looks for it, readable, under this very name
`;
	for (const args of [build, ...needing]) assert.is(complaint(args), said, args);
	for (const args of ['inspect home/m.onnx', 'init home/m.onnx']) {
		const { status, stderr } = run(args);
		assert.is(status, 0, stderr);
		assert.match(stderr, "warning model/external-missing: external data of tensor 'w3'");
	}
});

test('a file that is too short says how long it must be, and a Git LFS pointer that it is one', () => {
	truncateSync(data(), 1000);
	assert.is(
		complaint(build, undefined, 1),
		`error model/external-short: external data of tensor 'w3' ends at byte 4096 of 'home/m.onnx_data', which has 1000
  = help: fetch it again, and compare its size and checksum with the source it came from
`,
	);
	writeFileSync(data(), 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n');
	assert.match(
		complaint(build, undefined, 1),
		'this is a Git LFS pointer, not the data: `git lfs pull` fetches them',
	);
});

test('what may not be read is named with the reason: the data, the folder, a file that goes along', () => {
	writeFileSync(join(folder, 'home', 'config.json'), '{}');
	assert.match(
		complaint(build, forbidden('openSync', 'm.onnx_data')),
		"error model/external-missing: external data of tensor 'w3' cannot be read from 'home/m.onnx_data': permission denied",
	);
	const whole = 'build -e share home -o small --no-verify';
	assert.match(
		complaint(whole, forbidden('readdirSync', 'home')),
		"error model/not-found: cannot open 'home': permission denied",
	);
	assert.match(
		complaint(whole, forbidden('readFileSync', 'config.json')),
		"'home/config.json': permission denied",
	);
});

test.run();
