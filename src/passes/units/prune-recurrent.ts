/**
 * Hidden units of recurrent layers, and of the states that loops carry: their gates, their columns of the recurrence, their states,
 * and who reads them.
 */
import { type Family } from '../../ir/axes/families.ts';
import { type NetNode } from '../../ir/axes/net.ts';
import { statePairs } from '../../ir/axes/rows-flow.ts';
import { flowDomain } from '../../ir/graph/graph.ts';
import { pruneUnits } from './prune-units.ts';
import { groupsOf, wideFamilies } from './structures.ts';

const recurrences: ReadonlySet<string> = new Set(['LSTM', 'GRU', 'RNN', 'DynamicQuantizeLSTM']);

export const pruneRecurrent = pruneUnits({
	target: 'units',
	unit: 'units',
	listed: true,
	aliases: ['unit'],
	align: 4,
	summary:
		'Remove hidden units of LSTM, GRU and RNN layers and of what Loop and Scan carry, with their gates and states.',
	example: 'prune units 25%',
	find: (request) =>
		groupsOf(request, 'units', wideFamilies(request).filter(isRecurrent), (name) => `the units of '${name}'`),
});

function isRecurrent(family: Family): boolean {
	return [...family.letters].some(
		([node, classes]) =>
			classes.some(Boolean) &&
			(isCarried(family, node) ||
				(recurrences.has(node.node.op) &&
					(node.row?.letters ?? []).some(
						({ role }, letter) => role === 'recurrent' && classes[letter] !== undefined,
					))),
	);
}

/** Whether a loop carries the family's positions from turn to turn. */
function isCarried(family: Family, { node, view, inputs }: NetNode): boolean {
	if (node.domain !== flowDomain || (node.op !== 'Loop' && node.op !== 'Scan')) return false;
	return statePairs(view).some(({ out }) => {
		const state = inputs[out];
		return state !== undefined && family.axes.get(state)?.some(Boolean);
	});
}
