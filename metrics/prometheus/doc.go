// Package prometheus publishes the figures of stores to Prometheus.
//
//	import (
//		"github.com/prometheus/client_golang/prometheus"
//		"github.com/siltstonedb/siltstone"
//		storemetrics "github.com/siltstonedb/siltstone/metrics/prometheus"
//	)
//
//	prometheus.MustRegister(storemetrics.NewCollector("orders", db))
//
// A figure of metrics.Figures is called siltstone_, its name with underscores, its unit,
// and _total if it is a counter:
//
//	commits             siltstone_commits_total{store="orders"}
//	log.sync.duration   siltstone_log_sync_duration_seconds_bucket{store="orders",le="0.001024"}
//	write.wait          siltstone_write_wait_seconds_total{store="orders",cause="merges"}
//
// docs/watching.md has all of them, with what to do about each. In the folder contrib are
// a dashboard for Grafana and alert rules.
//
// It is a module of its own, so that a program without it does not depend on the client
// library.
package prometheus
