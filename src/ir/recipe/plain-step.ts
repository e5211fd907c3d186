/** A statement with nothing but its name. */
import { type Step } from './recipe.ts';
import { statementName } from './vocabulary.ts';

/** What a step means where its statement says no more than the verb and the target. */
export function plainStep(name: Pick<Step, 'technique' | 'verb' | 'target'>): Step {
	const { technique, verb, target } = name;
	return {
		...{ text: statementName(name), technique, verb, ...(target !== undefined && { target }) },
		...{ globally: false, min: 1, in: [], except: [], across: [], after: [], without: [] },
		...{ until: [], while: [], mayChange: [], span: { start: 0, end: 0 }, spans: {}, line: 1 },
	};
}
