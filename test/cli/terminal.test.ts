/** What a terminal gets that a pipe does not. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isColored, progressOn } from '../../src/cli/terminal.ts';

const test = suite('the terminal');

function stream(isTTY: boolean): { isTTY: boolean; written: string; write(text: string): void } {
	return {
		isTTY,
		written: '',
		write(text) {
			this.written += text;
		},
	};
}

test('colour is for terminals whose owner has not said no', () => {
	assert.is(isColored({ isTTY: true }, {}), true);
	assert.is(isColored({ isTTY: true }, { NO_COLOR: '' }), true);
	assert.is(isColored({ isTTY: true }, { NO_COLOR: '1' }), false);
	assert.is(isColored({ isTTY: false }, {}), false);
	assert.is(isColored({}, {}), false);
});

test('progress is one line that is rewritten and taken away', () => {
	const terminal = stream(true);
	const progress = progressOn(terminal, {});
	progress.clear();
	progress.say('step 1');
	progress.say('step 2');
	progress.clear();
	progress.clear();
	assert.is(terminal.written, '\r\u001b[2Kstep 1\r\u001b[2Kstep 2\r\u001b[2K');
});

test('there is no progress in a pipe or in CI', () => {
	for (const [isTTY, environment] of [
		[false, {}],
		[true, { CI: 'true' }],
	] as const) {
		const silent = stream(isTTY);
		const progress = progressOn(silent, environment);
		progress.say('step 1');
		progress.clear();
		assert.is(silent.written, '');
	}
});

test.run();
