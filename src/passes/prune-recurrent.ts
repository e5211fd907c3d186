/** Hidden units of recurrent layers: their gates, their columns of the recurrence, their states, and who reads them. */
import { type Family } from '../ir/axes/families.ts';
import { pruneUnits } from './prune-units.ts';
import { groupsOf, wideFamilies } from './structures.ts';

const recurrences: ReadonlySet<string> = new Set(['LSTM', 'GRU', 'RNN', 'DynamicQuantizeLSTM']);

export const pruneRecurrent = pruneUnits({
	target: 'units',
	unit: 'units',
	aliases: ['unit'],
	align: 4,
	summary: 'Remove hidden units of LSTM, GRU and RNN layers, with their gates and states.',
	example: 'prune units 25%',
	find: (request) =>
		groupsOf(request, 'units', wideFamilies(request).filter(isRecurrent), (name) => `the units of '${name}'`),
});

function isRecurrent(family: Family): boolean {
	return [...family.letters].some(
		([node, classes]) =>
			recurrences.has(node.node.op) &&
			(node.row?.letters ?? []).some(
				({ role }, letter) => role === 'recurrent' && classes[letter] !== undefined,
			),
	);
}
