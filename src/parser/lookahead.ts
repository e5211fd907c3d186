/** Chevrotain's choice by the next token, worked out for a place of the grammar when a text first comes there: most recipes visit few. */
import { LLkLookaheadStrategy, type ILookaheadStrategy, type IOrAlt } from 'chevrotain';

type Alternation = ReturnType<ILookaheadStrategy['buildLookaheadForAlternation']>;
type Optional = ReturnType<ILookaheadStrategy['buildLookaheadForOptional']>;

/** As `LLkLookaheadStrategy`, which works all of it out before the first text is read. */
export function lookaheadOnDemand(maxLookahead: number): ILookaheadStrategy {
	const eager = new LLkLookaheadStrategy({ maxLookahead });
	return {
		validate: (options) => eager.validate(options),
		buildLookaheadForAlternation(options) {
			let made: Alternation | undefined;
			return function (this: unknown, alternatives?: IOrAlt<unknown>[]) {
				made ??= eager.buildLookaheadForAlternation(options);
				return made.call(this, alternatives);
			};
		},
		buildLookaheadForOptional(options) {
			let made: Optional | undefined;
			return function (this: unknown) {
				made ??= eager.buildLookaheadForOptional(options);
				return made.call(this);
			};
		},
	};
}
